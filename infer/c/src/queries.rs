//! What a generator says of itself.

use std::{
    ffi::{CStr, c_char},
    ptr,
};

use crate::{
    Generator,
    arguments::{Place, text},
    generator::given,
    status::{Failure, Status, caught, status_of},
};

/// What a generator draws, and from what.
#[repr(C)]
pub struct Description {
    /// Channels of a picture: 1, grey, or 3, red, green and blue.
    pub channels: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// How many numbers of z a picture is drawn from.
    pub latent_dim: usize,
    /// Whether pictures have labels: 0, 1, … up to the number of classes, less one.
    pub labelled: bool,
    /// How many classes there are; 0 if there are no labels.
    pub classes: usize,
    /// Whether a judge was loaded with it, which edgegan_verify() asks.
    pub has_judge: bool,
}

/// Describes a generator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_describe(
    generator: *const Generator,
    description: *mut Description,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let generator = unsafe { given(generator) }?;
        let [channels, height, width] = generator.shape;
        let found = Description {
            channels,
            height,
            width,
            latent_dim: generator.latent_dim,
            labelled: !generator.classes.is_empty(),
            classes: generator.classes.len(),
            has_judge: generator.has_judge,
        };
        // SAFETY: as above.
        unsafe { Place::new(description, "description")?.write(found) };
        Ok(())
    })
}

/// The name of the class with this label, valid until the generator is freed; NULL, a failure, if it is none.
/// It is the file's own text: escape it where it matters, such as in a terminal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_class_name(generator: *const Generator, label: i64) -> *const c_char {
    named(|| {
        // SAFETY: the caller's promise.
        let generator = unsafe { given(generator) }?;
        let class = usize::try_from(label).ok().and_then(|label| generator.classes.get(label));
        let count = generator.classes.len();
        class.map(|class| class.as_c_str()).ok_or_else(|| {
            let sentence = format!("label {label} is no class of the model, which has {count}");
            Failure::new(Status::UnknownClass, sentence)
        })
    })
}

/// The label of the class with this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_find_class(
    generator: *const Generator,
    name: *const c_char,
    label: *mut i64,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        let (generator, name) = unsafe { (given(generator)?, text(name, "name")?) };
        let place = Place::new(label, "label")?;
        let found = generator.run(|running| {
            let generator = &running.generator;
            Ok(infer::find_class(generator.contract(), "class", name, generator.name())?)
        })?;
        // SAFETY: as above.
        unsafe { place.write(found) };
        Ok(())
    })
}

/// The engine's name and version, such as "ONNX Runtime 1.32.0"; valid until the generator is freed. NULL,
/// a failure, if the generator is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_engine(generator: *const Generator) -> *const c_char {
    // SAFETY: the caller's promise.
    named(|| Ok(unsafe { given(generator) }?.engine.as_c_str()))
}

/// The device that the engine draws on, such as "cpu" or "cuda:0"; otherwise as edgegan_engine().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_device(generator: *const Generator) -> *const c_char {
    // SAFETY: the caller's promise.
    named(|| Ok(unsafe { given(generator) }?.device.as_c_str()))
}

/// This library's version, such as "0.1.0"; never NULL, valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn edgegan_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// A text to return, or NULL.
fn named<'a>(find: impl FnOnce() -> Result<&'a CStr, Failure>) -> *const c_char {
    caught(find).map_or(ptr::null(), CStr::as_ptr)
}
