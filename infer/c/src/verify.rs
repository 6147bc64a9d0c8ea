//! Whether pictures are what they should be: a judge's reading, and the model's own promise.

use crate::{
    Generator,
    arguments::{Place, check, several},
    generator::given,
    status::{Failure, Status, status_of},
};

/// Pictures that a judge reads at once.
const BATCH: usize = 64;

/// What a judge says of a picture.
#[repr(C)]
pub struct Reading {
    /// The class that it is taken for.
    pub label: i64,
    /// How sure the judge is, from 0 to 1, with four decimals.
    pub confidence: f64,
}

/// How pictures compare with those that the model promises.
#[repr(C)]
pub struct Comparison {
    /// How many pixels were compared.
    pub pixels: usize,
    /// How many of them differ.
    pub differing: usize,
    /// The largest difference, in levels of 255.
    pub largest: u8,
    /// The largest difference allowed.
    pub tolerance: u8,
}

/// Asks the judge what pictures show: `count` pictures of channels × height × width bytes, as edgegan_draw()
/// gives them, are `length` bytes. There is room for `count` readings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_verify(
    generator: *const Generator,
    pixels: *const u8,
    length: usize,
    count: usize,
    readings: *mut Reading,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (generator, pixels) = unsafe { (given(generator)?, several(pixels, length, "pixels")?) };
        check(readings, "readings")?;
        let image_len = generator.image_len();
        if count == 0 || count.checked_mul(image_len) != Some(length) {
            let sentence =
                format!("length is {length}, expected {image_len} for each of {count} pictures, 1 or more");
            let short = count > 0 && length / count < image_len;
            return Err(Failure::new(
                if short { Status::ShortBuffer } else { Status::BadArgument },
                sentence,
            ));
        }
        let read = generator.run(|running| {
            let judge = running.judge.as_mut().ok_or_else(|| {
                let sentence = "the generator was loaded without a judge; name one in options.judge";
                Failure::new(Status::NoJudge, sentence)
            })?;
            let mut read = Vec::with_capacity(count);
            for batch in pixels.chunks(BATCH * image_len) {
                judge.read(batch, &mut read)?;
            }
            Ok(read)
        })?;
        for (i, infer::Reading { label, confidence }) in read.into_iter().enumerate().take(count) {
            // SAFETY: the caller promises room for `count` of them.
            unsafe { readings.add(i).write(Reading { label, confidence }) };
        }
        Ok(())
    })
}

/// Draws the pictures that the model's file promises, and compares: whether this machine's engine draws what
/// the machine that wrote the file did. `comparison` may be NULL; it is written after
/// EDGEGAN_STATUS_SELF_TEST_FAILED too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_self_test(
    generator: *const Generator,
    comparison: *mut Comparison,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let generator = unsafe { given(generator) }?;
        let place = match comparison.is_null() {
            true => None,
            false => Some(Place::new(comparison, "comparison")?),
        };
        let found = generator.run(|running| Ok(running.generator.self_test()?))?;
        let contract::Comparison { pixels, differing, largest, tolerance } = found;
        if let Some(place) = place {
            // SAFETY: as above.
            unsafe { place.write(Comparison { pixels, differing, largest, tolerance }) };
        }
        match found.passed() {
            true => Ok(()),
            false => Err(Failure::new(
                Status::SelfTestFailed,
                format!(
                    "{differing} of {pixels} pixels are not as promised, by up to {largest} levels of 255, \
                     expected {tolerance} at most; try another device or engine"
                ),
            )),
        }
    })
}
