//! What a C program hands over, checked as far as a pointer can be.

use std::{
    ffi::{CStr, c_char},
    path::PathBuf,
    slice, str,
};

use crate::status::{Failure, Status};

/// Where one result goes, which may not have been written to yet.
pub struct Place<T>(*mut T);

impl<T> Place<T> {
    /// The place that a function is given.
    pub fn new(pointer: *mut T, name: &str) -> Result<Self, Failure> {
        check(pointer, name).map(|()| Self(pointer))
    }

    /// Writes the result.
    ///
    /// # Safety
    ///
    /// The pointer points to a place for a `T`.
    pub unsafe fn write(self, result: T) {
        // SAFETY: it is aligned and not null; the rest is the caller's promise.
        unsafe { self.0.write(result) };
    }
}

/// A thing that is lent for the call.
///
/// # Safety
///
/// Unless it is null, `pointer` points to a `T`.
pub unsafe fn lent<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    check(pointer, name)?;
    // SAFETY: it is aligned and not null; the rest is the caller's promise.
    Ok(unsafe { &*pointer })
}

/// Several things that are lent for the call.
///
/// # Safety
///
/// Unless it is null, `pointer` points to `length` Ts.
pub unsafe fn several<'a, T>(pointer: *const T, length: usize, name: &str) -> Result<&'a [T], Failure> {
    check(pointer, name)?;
    if length > isize::MAX as usize / size_of::<T>() {
        return Err(Failure::new(
            Status::BadArgument,
            format!("no memory holds {length} elements of {name}"),
        ));
    }
    // SAFETY: as above, and no slice is longer than a slice can be.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// A text.
///
/// # Safety
///
/// Unless it is null, `pointer` points to bytes of which one is zero.
pub unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    check(pointer, name)?;
    // SAFETY: as above.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    str::from_utf8(bytes).map_err(|_| {
        let found = String::from_utf8_lossy(bytes);
        Failure::new(Status::BadArgument, format!("{name} is no UTF-8 text: {found:?}"))
    })
}

/// A path, in the system's own bytes.
///
/// # Safety
///
/// As [`text`].
pub unsafe fn path(pointer: *const c_char, name: &str) -> Result<PathBuf, Failure> {
    #[cfg(unix)]
    {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        check(pointer, name)?;
        // SAFETY: as above.
        let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
        Ok(OsStr::from_bytes(bytes).into())
    }
    #[cfg(not(unix))]
    // SAFETY: as above.
    Ok(unsafe { text(pointer, name) }?.into())
}

/// Refuses what can't point to a `T`.
pub fn check<T>(pointer: *const T, name: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::new(Status::NullPointer, format!("{name} is NULL")));
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(Failure::new(
            Status::BadArgument,
            format!("{name} is at an address that is no multiple of {}", align_of::<T>()),
        )),
    }
}
