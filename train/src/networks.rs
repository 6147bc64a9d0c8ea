//! The networks for the data that they are to learn.

use anyhow::{Result, bail};
use models::{Architecture, Sizes};

use crate::sources::{LabelledImages, Size};

/// The generator's ONNX file ends at protobuf's 2 GB, which is 500 million parameters; its tables of
/// labels need some of that. The first stages grow with the pictures.
const MOST_PARAMETERS: usize = 450_000_000;

/// The networks that fit the data; what the data leave open is as `wanted`.
///
/// # Errors
/// If the pictures are of a size that no network has.
pub fn for_data(data: &LabelledImages, wanted: Architecture) -> Result<Architecture> {
    let images = data.images();
    let networks = wanted.with_sizes(Sizes {
        classes: data.classes(),
        channels: images.channels(),
        height: images.height(),
        width: images.width(),
        ..*wanted.sizes()
    });
    networks.discriminator()?;
    let parameters = networks.generator()?.trainable();
    if parameters > MOST_PARAMETERS {
        let size = Size { width: images.width(), height: images.height() };
        bail!(
            "pictures of {size} pixels and these widths need a generator of {parameters} parameters, more than \
             fit into an ONNX file ({MOST_PARAMETERS}); have them resized with --size, such as --size {}, or \
             choose fewer --generator-filters",
            size.suggestion()
        );
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use models::{Architecture, Sizes};

    use crate::sources::{Images, LabelledImages};

    fn data(channels: usize, height: usize, width: usize) -> LabelledImages {
        let pixels = vec![0; channels * height * width];
        let images = Images::with_channels(channels, height, width, pixels).unwrap();
        LabelledImages::new(images, vec![0], 3, "data").unwrap()
    }

    fn labelled(sizes: Sizes) -> Architecture {
        Architecture::LabelledDcgan(sizes)
    }

    #[test]
    fn the_networks_fit_the_data() {
        let narrow = labelled(Sizes { generator_filters: 5, ..Sizes::default() });
        let config = super::for_data(&data(3, 8, 12), narrow).unwrap();
        let sizes = config.sizes();
        assert_eq!((sizes.classes, sizes.channels, sizes.height, sizes.width), (3, 3, 8, 12));
        assert_eq!((sizes.generator_filters, sizes.latent_dim), (5, 100));
        // The smallest that there is.
        assert!(super::for_data(&data(1, 1, 1), labelled(Sizes::default())).is_ok());
    }

    #[test]
    fn pictures_without_labels_have_the_unlabelled_pair() {
        let images = Images::with_channels(1, 48, 64, vec![0; 48 * 64]).unwrap();
        let data = LabelledImages::unlabelled(images, "data");
        let wanted = Architecture::UnlabelledDcgan(Sizes { generator_filters: 2, ..Sizes::unlabelled() });
        let config = super::for_data(&data, wanted).unwrap();
        assert_eq!((config.name(), config.sizes().channels), ("unlabelled-dcgan", 1));
        let first = config.generator().unwrap().shapes()[1].dims(1);
        assert_eq!(first, [1, 16, 3, 4]);
    }

    #[test]
    fn pictures_that_are_too_large_are_refused_before_memory_is_asked_for() {
        let error = super::for_data(&data(1, 600, 800), labelled(Sizes::default())).unwrap_err().to_string();
        assert!(error.contains("800x600") && error.contains("--size 64x48"), "{error}");
    }
}
