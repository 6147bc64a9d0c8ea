//! A generator behind a pointer: loading and freeing it, and one call at a time.

use std::{
    ffi::{CString, c_char},
    ptr,
    sync::Mutex,
};

use infer::{Judge, ModelSource};

use crate::{
    Options,
    arguments::{Place, lent, path, several},
    options::JudgeSource,
    status::{Failure, Status, status_of},
};

/// A loaded generator, with its judge if it has one.
pub struct Generator {
    /// What changes while it draws: one call at a time.
    running: Mutex<Running>,
    /// Channels, height and width of a picture.
    pub(crate) shape: [usize; 3],
    pub(crate) latent_dim: usize,
    pub(crate) has_judge: bool,
    /// Names of classes, for C; none in an unlabelled model.
    pub(crate) classes: Vec<CString>,
    pub(crate) engine: CString,
    pub(crate) device: CString,
}

/// What a call has for itself.
pub struct Running {
    pub generator: infer::Generator,
    pub judge: Option<Judge>,
}

impl Generator {
    /// # Safety
    ///
    /// As [`Options::read`].
    unsafe fn load(source: &ModelSource<'_>, options: Option<&Options>) -> Result<Self, Failure> {
        let (options, judge) = match options {
            // SAFETY: the caller's promise.
            Some(options) => unsafe { options.read() }?,
            None => (infer::Options::default(), None),
        };
        let mut generator = infer::Generator::load(source, &options)?;
        let shape = generator.image_shape()?;
        let judge = match &judge {
            Some(JudgeSource::File(path)) => {
                Some(Judge::load(&ModelSource::File(path), &generator, &options).map_err(Failure::of_judge)?)
            }
            Some(JudgeSource::Bytes(bytes)) => {
                let source = ModelSource::Bytes { name: "of options.judge_bytes", bytes };
                Some(Judge::load(&source, &generator, &options).map_err(Failure::of_judge)?)
            }
            None => None,
        };
        Ok(Self {
            shape,
            latent_dim: generator.contract().latent_dim,
            has_judge: judge.is_some(),
            classes: generator.contract().classes.iter().map(|class| for_c(class)).collect(),
            engine: for_c(&generator.engine_name()),
            device: for_c(&generator.device().to_string()),
            running: Mutex::new(Running { generator, judge }),
        })
    }

    /// How many numbers a picture has.
    pub(crate) fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Waits for the other threads' calls, and makes one.
    pub(crate) fn run<T>(&self, call: impl FnOnce(&mut Running) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut running = self.running.lock().map_err(|_| {
            let sentence =
                "an earlier call had a fault of edgegan's own; free the generator and load it again";
            Failure::new(Status::Internal, sentence)
        })?;
        call(&mut running)
    }
}

/// A text that ends where C finds its end.
fn for_c(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Makes the place of a generator empty, loads one, and puts it there.
///
/// # Safety
///
/// Unless it is null, `generator` points to a place for a pointer.
unsafe fn load_into(
    generator: *mut *mut Generator,
    load: impl FnOnce() -> Result<Generator, Failure>,
) -> Status {
    status_of(|| {
        // SAFETY: the caller's promise.
        unsafe { empty(generator)?.write(boxed(load()?)) };
        Ok(())
    })
}

/// Loads a generator from an ONNX file that edgegan's `export` wrote.
///
/// `options` may be NULL. `*generator` is NULL after a failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_load(
    path: *const c_char,
    options: *const Options,
    generator: *mut *mut Generator,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        load_into(generator, || {
            Generator::load(&ModelSource::File(&self::path(path, "path")?), options.as_ref())
        })
    }
}

/// As edgegan_load(), from the file's bytes, which are needed during the call alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_load_bytes(
    bytes: *const u8,
    length: usize,
    options: *const Options,
    generator: *mut *mut Generator,
) -> Status {
    // SAFETY: the caller's promise.
    unsafe {
        load_into(generator, || {
            let source = ModelSource::Bytes { name: "in memory", bytes: several(bytes, length, "bytes")? };
            Generator::load(&source, options.as_ref())
        })
    }
}

/// Frees a generator, with all that was asked of it. NULL is nothing to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn edgegan_free(generator: *mut Generator) {
    status_of(|| {
        if !generator.is_null() {
            // SAFETY: it came out of `boxed`, and the caller promises that this is its last use.
            drop(unsafe { Box::from_raw(generator) });
        }
        Ok(())
    });
}

/// The place for a generator, NULL until there is one.
///
/// # Safety
///
/// As [`Place::write`].
unsafe fn empty(place: *mut *mut Generator) -> Result<Place<*mut Generator>, Failure> {
    // SAFETY: the caller's promise.
    unsafe { Place::new(place, "generator")?.write(ptr::null_mut()) };
    Place::new(place, "generator")
}

fn boxed(generator: Generator) -> *mut Generator {
    Box::into_raw(Box::new(generator))
}

/// The generator that a function is given.
///
/// # Safety
///
/// Unless it is null, it was loaded and not freed.
pub unsafe fn given<'a>(generator: *const Generator) -> Result<&'a Generator, Failure> {
    // SAFETY: the caller's promise.
    unsafe { lent(generator, "generator") }
}

/// Threads may share it.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Generator>();
};
