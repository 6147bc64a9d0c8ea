//! How a generator is loaded.

use std::{ffi::c_char, num::NonZeroUsize, path::PathBuf};

use crate::{
    arguments::{path, several, text},
    status::{Failure, Status},
};

/// How to load a generator. What is zero or NULL is left to the library, so `{0}` is the default of all.
#[repr(C)]
pub struct Options {
    /// What runs the model: "onnxruntime" (the machine's library), "rten" (part of this one; CPU alone) or
    /// "auto", the first of them that serves, which is the default.
    pub engine: *const c_char,
    /// Where it runs: "cpu", "cuda", "cuda:N", "tensorrt", "tensorrt:N" or "auto", the fastest that serves,
    /// which is the default.
    pub device: *const c_char,
    /// The path of the ONNX Runtime library, 1.17 or later. By default the one that ORT_DYLIB_PATH names,
    /// or one that is found beside the program, by the system's loader, or in Python's packages.
    pub runtime: *const c_char,
    /// The path of a judge, an ONNX file, for edgegan_verify(). By default there is none.
    pub judge: *const c_char,
    /// In place of that path, the judge's file in memory, which is needed during the call alone.
    pub judge_bytes: *const u8,
    /// How many bytes that is.
    pub judge_length: usize,
    /// Threads of the CPU; by default one if expected_images is 1, and one for each processor otherwise.
    pub threads: usize,
    /// About how many pictures will be drawn: few start faster, many run faster, from 320 on. By default 64.
    pub expected_images: usize,
}

/// Threads beyond which starting them takes a minute.
const MOST_THREADS: usize = 4096;

/// Where a judge is.
pub enum JudgeSource<'a> {
    File(PathBuf),
    Bytes(&'a [u8]),
}

impl Options {
    /// In the library's own types.
    ///
    /// # Safety
    ///
    /// Its pointers are what the header says.
    pub unsafe fn read(&self) -> Result<(infer::Options, Option<JudgeSource<'_>>), Failure> {
        let mut options = infer::Options::default();
        // SAFETY: the caller's promise, here and below.
        unsafe {
            if !self.engine.is_null() {
                options.engine = text(self.engine, "options.engine")?.parse()?;
            }
            if !self.device.is_null() {
                options.device = text(self.device, "options.device")?.parse()?;
            }
            if !self.runtime.is_null() {
                options.runtime = Some(path(self.runtime, "options.runtime")?);
            }
        }
        if self.threads > MOST_THREADS {
            let found = self.threads;
            let sentence = format!("options.threads is {found}, expected 0 to {MOST_THREADS}");
            return Err(Failure::new(Status::BadArgument, sentence));
        }
        options.threads = NonZeroUsize::new(self.threads);
        if self.expected_images > 0 {
            options.expected_images = self.expected_images;
        }
        let judge = match (self.judge.is_null(), self.judge_bytes.is_null()) {
            (true, true) => None,
            // SAFETY: as above.
            (false, true) => Some(JudgeSource::File(unsafe { path(self.judge, "options.judge") }?)),
            // SAFETY: as above.
            (true, false) => Some(JudgeSource::Bytes(unsafe {
                several(self.judge_bytes, self.judge_length, "options.judge_bytes")
            }?)),
            (false, false) => {
                let sentence = "options has a judge as a path and as bytes; leave one of them NULL";
                return Err(Failure::new(Status::BadArgument, sentence));
            }
        };
        Ok((options, judge))
    }
}
