//! What a call came to: a status, and for a failure a sentence that its thread can ask for.

use std::{
    any::Any,
    cell::RefCell,
    ffi::{CString, c_char},
    panic::{AssertUnwindSafe, catch_unwind},
};

use infer::Error;

/// What a call came to.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A pointer is NULL that must not be.
    NullPointer = 1,
    /// A number, a name or a text is none that the function takes.
    BadArgument = 2,
    /// A buffer is too short; nothing was drawn.
    ShortBuffer = 3,
    /// A label or a name is no class of the model.
    UnknownClass = 4,
    /// A file is not there, or can't be read.
    Unreadable = 5,
    /// The model is damaged, or no edgegan generator, or the engine refuses it.
    BadModel = 6,
    /// The judge is damaged, or no judge of what the generator draws.
    BadJudge = 7,
    /// The engine, the device or the ONNX Runtime that was asked for can't be used on this machine.
    Unavailable = 8,
    /// The engine failed while it ran the model.
    RunFailed = 9,
    /// The pictures are not those that the model promises.
    SelfTestFailed = 10,
    /// The generator was loaded without a judge.
    NoJudge = 11,
    /// A fault of this library. A generator that was in use must be freed and loaded again.
    Internal = 12,
}

/// A failed call.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    sentence: String,
}

impl Failure {
    pub fn new(status: Status, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    /// The same of a judge's file: what makes a bad model makes a bad judge.
    pub fn of_judge(error: Error) -> Self {
        let failure = Self::from(error);
        let status = if failure.status == Status::BadModel { Status::BadJudge } else { failure.status };
        Self { status, ..failure }
    }

    fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = (panic.downcast_ref::<&str>().copied())
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Self::new(Status::Internal, format!("a fault in edgegan itself: {text}; please report it"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::ModelUnreadable { .. } => Status::Unreadable,
            Error::NotOnnx { .. }
            | Error::NotAGenerator { .. }
            | Error::OtherInterface { .. }
            | Error::ModelRefused { .. } => Status::BadModel,
            Error::NotAJudge { .. } | Error::OtherJudge { .. } | Error::NothingToVerify(_) => {
                Status::BadJudge
            }
            Error::UnknownClass { .. } => Status::UnknownClass,
            Error::BadInput(_) | Error::UnknownDevice(_) | Error::UnknownEngine(_) => Status::BadArgument,
            Error::RuntimeNotFound { .. }
            | Error::RuntimeRefused { .. }
            | Error::RuntimeLoadedAlready { .. }
            | Error::RuntimeBroken { .. }
            | Error::DeviceUnavailable { .. }
            | Error::EngineUnavailable { .. } => Status::Unavailable,
            Error::RunFailed { .. } => Status::RunFailed,
            // Those of pictures' files and of redrawing, which nothing here does.
            _ => Status::Internal,
        };
        Self::new(status, error.to_string())
    }
}

thread_local! {
    static LAST: RefCell<(Status, CString)> = RefCell::new((Status::Ok, CString::default()));
}

/// Runs a function's body; no panic leaves it, and a failure is kept for its thread.
pub fn status_of(body: impl FnOnce() -> Result<(), Failure>) -> Status {
    match caught(body) {
        Ok(()) => Status::Ok,
        Err(status) => status,
    }
}

/// As [`status_of`], of a function that returns something else.
pub fn caught<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Status> {
    // A generator that a panic leaves half changed is not used again: its lock is poisoned.
    let outcome = catch_unwind(AssertUnwindSafe(body));
    outcome.unwrap_or_else(|panic| Err(Failure::of_panic(&*panic))).map_err(keep)
}

/// Keeps a failure for its thread.
fn keep(Failure { status, sentence }: Failure) -> Status {
    // It may quote an untrusted file, and a library's message of several lines; this leaves no zero byte.
    let sentence = CString::new(contract::one_line(&sentence)).unwrap_or_default();
    // A thread that is ending has no place for it.
    let _ = LAST.try_with(|last| last.replace((status, sentence)));
    status
}

/// The status of this thread's last call that failed; EDGEGAN_STATUS_OK if none did.
#[unsafe(no_mangle)]
pub extern "C" fn edgegan_last_status() -> Status {
    LAST.try_with(|last| last.borrow().0).unwrap_or(Status::Ok)
}

/// A sentence about this thread's last call that failed: what was found, what was expected, what to do.
/// Empty if none did. Never NULL; valid until the next call of this thread that fails, and the thread's end.
#[unsafe(no_mangle)]
pub extern "C" fn edgegan_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().1.as_ptr()).unwrap_or(c"".as_ptr())
}
