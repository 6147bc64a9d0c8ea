// Walks from one image of a class to another, through the latent space, and shows the way in the terminal.
//
//     c++ -std=c++17 walk.cpp $(pkg-config --cflags --libs edgegan) -o walk
//     ./walk /usr/share/edgegan/mnist-generator.onnx 5
#include <edgegan.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void check(edgegan_status status) {
    if (status != EDGEGAN_STATUS_OK) throw std::runtime_error(edgegan_last_error());
}

struct Free {
    void operator()(edgegan_generator *generator) const { edgegan_free(generator); }
};
using Generator = std::unique_ptr<edgegan_generator, Free>;

Generator load(const char *path, const edgegan_options &options) {
    edgegan_generator *generator = nullptr;
    check(edgegan_load(path, &options, &generator));
    return Generator(generator);
}

void show(const std::vector<std::uint8_t> &pixels, std::size_t width, std::size_t height, std::size_t steps) {
    const std::string shades = " .:-=+*#%@";
    for (std::size_t row = 0; row < height; row += 2) {
        for (std::size_t step = 0; step < steps; ++step)
            for (std::size_t column = 0; column < width; ++column)
                std::cout << shades[pixels[(step * height + row) * width + column] * (shades.size() - 1) / 255];
        std::cout << '\n';
    }
}

}  // namespace

int main(int argc, char **argv) try {
    if (argc < 3) {
        std::cerr << "usage: " << argv[0] << " MODEL CLASS [ENGINE]\n";
        return 2;
    }
    edgegan_options options{};
    options.engine = argc > 3 ? argv[3] : nullptr;
    const Generator generator = load(argv[1], options);

    edgegan_description model{};
    check(edgegan_describe(generator.get(), &model));
    if (model.channels != 1) throw std::runtime_error("the model draws in colour, which letters can't show");
    std::int64_t label = 0;
    if (model.labelled) check(edgegan_find_class(generator.get(), argv[2], &label));

    // On a line between the latents of images 0 and 1 of seed 7.
    constexpr std::size_t steps = 4;
    std::vector<float> from(model.latent_dim), to(model.latent_dim), z;
    check(edgegan_latents(generator.get(), 7, 0, from.data(), from.size()));
    check(edgegan_latents(generator.get(), 7, 1, to.data(), to.size()));
    for (std::size_t step = 0; step < steps; ++step) {
        const float part = static_cast<float>(step) / (steps - 1);
        for (std::size_t i = 0; i < model.latent_dim; ++i) z.push_back(from[i] + part * (to[i] - from[i]));
    }

    const std::vector<std::int64_t> labels(steps, label);
    std::vector<std::uint8_t> pixels(steps * model.height * model.width);
    edgegan_output output{};
    output.pixels = pixels.data();
    output.pixels_length = pixels.size();
    check(edgegan_draw_latents(generator.get(), z.data(), z.size(), labels.data(), steps, &output));
    show(pixels, model.width, model.height, steps);
    return EXIT_SUCCESS;
} catch (const std::exception &error) {
    std::cerr << "walk: " << error.what() << '\n';
    return EXIT_FAILURE;
}
