//! Drawing into the caller's memory.

use std::ptr;

use contract::PixelRange;
use ndarray::{Array4, ArrayView2};

use crate::{
    Generator,
    arguments::{check, lent, several},
    generator::{Running, given},
    status::{Failure, Status, status_of},
};

/// One picture to draw. It depends on the model, the seed, its index and its label alone.
#[repr(C)]
pub struct Sample {
    /// Its index in the seed's sequence: which latents it gets.
    pub index: u64,
    /// Its class; 0 if the model has no labels.
    pub label: i64,
}

/// Where pictures go: as bytes, as the network's own numbers, or both. One after the other, each with its
/// channels one after the other, rows from the top, columns from the left.
#[repr(C)]
pub struct Output {
    /// Levels from 0, black, to 255, white, as `infer` writes them to PNG files; or NULL.
    pub pixels: *mut u8,
    /// How many bytes there is room for: at least count × channels × height × width.
    pub pixels_length: usize,
    /// The network's own numbers; or NULL.
    pub values: *mut f32,
    /// How many numbers there is room for: as many.
    pub values_length: usize,
}

/// Draws pictures of a seed. How many are drawn together can move a pixel by one level where its value
/// lies on the edge of rounding; the same call draws the same bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_draw(
    generator: *const Generator,
    seed: u64,
    samples: *const Sample,
    count: usize,
    output: *const Output,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (generator, samples, output) =
            unsafe { (given(generator)?, several(samples, count, "samples")?, lent(output, "output")?) };
        let mut pictures = Pictures::new(generator, count, output)?;
        let indices: Vec<u64> = samples.iter().map(|sample| sample.index).collect();
        let labels: Vec<i64> = match generator.classes.is_empty() {
            true => Vec::new(),
            false => samples.iter().map(|sample| sample.label).collect(),
        };
        generator.run(|running| {
            let z = running.generator.latents(seed, &indices);
            // SAFETY: the caller's promise, for `output`.
            unsafe { pictures.draw(running, z.view(), &labels) }
        })
    })
}

/// Draws pictures of any latents: `count` rows of latent_dim numbers are `z_length` numbers. `labels` are
/// `count` numbers; of a model without labels it is not looked at, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_draw_latents(
    generator: *const Generator,
    z: *const f32,
    z_length: usize,
    labels: *const i64,
    count: usize,
    output: *const Output,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise, here and below.
        let (generator, output) = unsafe { (given(generator)?, lent(output, "output")?) };
        // SAFETY: as above.
        let z = unsafe { several(z, z_length, "z") }?;
        let labels = match generator.classes.is_empty() {
            true => &[],
            // SAFETY: as above.
            false => unsafe { several(labels, count, "labels") }?,
        };
        let mut pictures = Pictures::new(generator, count, output)?;
        let shape = (count, generator.latent_dim);
        let z = ArrayView2::from_shape(shape, z).ok().filter(|rows| rows.len() == z_length);
        let z = z.ok_or_else(|| {
            let (rows, columns) = shape;
            let sentence =
                format!("z_length is {z_length}, but {rows} pictures of {columns} latents were asked for");
            Failure::new(Status::BadArgument, sentence)
        })?;
        // SAFETY: as above, for `output`.
        generator.run(|running| unsafe { pictures.draw(running, z, labels) })
    })
}

/// The latents that edgegan_draw() draws picture `index` of a seed from: latent_dim numbers, to go on from
/// with edgegan_draw_latents().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_latents(
    generator: *const Generator,
    seed: u64,
    index: u64,
    z: *mut f32,
    z_length: usize,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let generator = unsafe { given(generator) }?;
        let z = Buffer::new(z, z_length, generator.latent_dim, "z")?;
        let latents = generator.run(|running| Ok(running.generator.latents(seed, &[index])))?;
        // SAFETY: there is room for them.
        unsafe { z.write(0, latents.as_slice().unwrap_or_default()) };
        Ok(())
    })
}

/// Memory of the caller that may not have been written to yet.
struct Buffer<T> {
    start: *mut T,
}

impl<T: Copy> Buffer<T> {
    /// Room for `needed` elements, if there is as much.
    fn new(start: *mut T, length: usize, needed: usize, name: &str) -> Result<Self, Failure> {
        check(start, name)?;
        match length < needed {
            true => Err(Failure::new(
                Status::ShortBuffer,
                format!("{name} has room for {length} elements, expected {needed} or more"),
            )),
            false => Ok(Self { start }),
        }
    }

    /// Writes elements from `at` on.
    ///
    /// # Safety
    ///
    /// The buffer's caller has promised room for them.
    unsafe fn write(&self, at: usize, elements: &[T]) {
        // SAFETY: the caller's promise.
        unsafe { ptr::copy_nonoverlapping(elements.as_ptr(), self.start.add(at), elements.len()) };
    }
}

/// Where the pictures of a call go.
struct Pictures {
    pixels: Option<Buffer<u8>>,
    values: Option<Buffer<f32>>,
    shape: [usize; 3],
    count: usize,
    /// How many of the pictures' numbers there are.
    written: usize,
}

impl Pictures {
    fn new(generator: &Generator, count: usize, output: &Output) -> Result<Self, Failure> {
        if count == 0 {
            return Err(Failure::new(Status::BadArgument, "count is 0, expected 1 or more"));
        }
        let needed = count
            .checked_mul(generator.image_len())
            .ok_or_else(|| Failure::new(Status::ShortBuffer, format!("no memory holds {count} pictures")))?;
        let Output { pixels, pixels_length, values, values_length } = *output;
        if pixels.is_null() && values.is_null() {
            let sentence = "output.pixels and output.values are NULL; one of them must not be";
            return Err(Failure::new(Status::NullPointer, sentence));
        }
        Ok(Self {
            pixels: (!pixels.is_null())
                .then(|| Buffer::new(pixels, pixels_length, needed, "output.pixels"))
                .transpose()?,
            values: (!values.is_null())
                .then(|| Buffer::new(values, values_length, needed, "output.values"))
                .transpose()?,
            shape: generator.shape,
            count,
            written: 0,
        })
    }

    /// Draws a picture for each row of z.
    ///
    /// # Safety
    ///
    /// The caller has promised that `output` is what the header says.
    unsafe fn draw(
        &mut self,
        running: &mut Running,
        z: ArrayView2<'_, f32>,
        labels: &[i64],
    ) -> Result<(), Failure> {
        let range = running.generator.contract().pixel_range;
        let model = running.generator.name().to_owned();
        let left = self.count * self.shape.iter().product::<usize>();
        Ok(running.generator.batches_of_latents(z, labels, &mut |images| {
            let (_, c, h, w) = images.dim();
            if [c, h, w] != self.shape || self.written + images.len() > left {
                let reason = format!("it drew pictures of {:?}, expected {:?}", [c, h, w], self.shape);
                return Err(infer::Error::RunFailed { model: model.clone(), reason });
            }
            // SAFETY: `new` has seen that there is room for `left` numbers.
            unsafe { self.append(images, range) };
            Ok(())
        })?)
    }

    /// # Safety
    ///
    /// There is room for these images.
    unsafe fn append(&mut self, images: &Array4<f32>, range: PixelRange) {
        if let Some(pixels) = &self.pixels {
            let levels = range.quantize(images);
            // SAFETY: the caller's promise.
            unsafe { pixels.write(self.written, levels.as_standard_layout().as_slice().unwrap_or_default()) };
        }
        if let Some(values) = &self.values {
            // SAFETY: the caller's promise.
            unsafe { values.write(self.written, images.as_standard_layout().as_slice().unwrap_or_default()) };
        }
        self.written += images.len();
    }
}
