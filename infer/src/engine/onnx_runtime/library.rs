//! Finds ONNX Runtime on this machine and loads it.
//!
//! The places, in order: the file that was asked for, `ORT_DYLIB_PATH`, the folder of the program,
//! `runtime/` in the checkout that the program belongs to, the system's loader, where pip puts the package
//! `onnxruntime`. A library that was named serves or is an error; one that merely lies in a folder and
//! can't serve is passed over, and mentioned if nothing else is found.
//!
//! Every candidate is probed with the system's loader alone before `ort` sees it: `ort` panics
//! where a library has no interface of the version it wants.

use std::{
    collections::VecDeque,
    env,
    ffi::{CStr, OsStr, OsString},
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use libloading::{Library, Symbol};
use ort::{
    environment::Environment,
    logging::{LogLevel, LoggerFunction},
    sys::{ORT_API_VERSION, OrtApiBase},
};

use super::{elf, packages};
use crate::{
    Device,
    error::{Error, OLDEST_RUNTIME, Refusal},
};

/// The environment variable that names the library; `ort` and other programs know it too.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// From 1.29 on, ONNX Runtime on Linux collects what program runs on what machine, and sends it, unless
/// this says otherwise while the library is being opened (microsoft/onnxruntime#27379); its interface's
/// own switch comes too late.
const TELEMETRY_VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Folder of a checkout that `make setup` puts libraries into.
const CHECKOUT_FOLDER: &str = "runtime";

/// Names that the system's loader is asked for.
#[cfg(target_os = "windows")]
const SYSTEM_NAMES: [&str; 1] = ["onnxruntime.dll"];
#[cfg(target_os = "macos")]
const SYSTEM_NAMES: [&str; 1] = ["libonnxruntime.dylib"];
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const SYSTEM_NAMES: [&str; 2] = ["libonnxruntime.so.1", "libonnxruntime.so"];

/// How many of ONNX Runtime's messages are kept, the latest ones.
const KEPT_MESSAGES: usize = 64;

/// What ONNX Runtime writes before the provider's name when it says where a graph's nodes run.
pub(crate) const PLACED: &str = "placed on [";

/// ONNX Runtime, loaded. One per process, and it stays loaded until the process ends.
pub struct Runtime {
    library: PathBuf,
    version: String,
    environment: Environment,
    log: Log,
    log_reader: Mutex<()>,
}

/// An execution provider that comes as a library of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// NVIDIA's CUDA, with cuDNN.
    Cuda,
    /// NVIDIA's TensorRT, on top of CUDA.
    TensorRt,
}

impl Provider {
    /// The provider that a device needs beside the library itself.
    pub fn of(device: Device) -> Option<Self> {
        match device {
            Device::Auto | Device::Cpu => None,
            Device::Cuda(_) => Some(Self::Cuda),
            Device::TensorRt(_) => Some(Self::TensorRt),
        }
    }

    /// The library's name, without what the system puts around it.
    fn file(self) -> &'static str {
        match self {
            Self::Cuda => "onnxruntime_providers_cuda",
            Self::TensorRt => "onnxruntime_providers_tensorrt",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cuda => "CUDA",
            Self::TensorRt => "TensorRT",
        })
    }
}

/// What ONNX Runtime would print, kept to explain its errors and to read node placements from.
type Log = Arc<Mutex<VecDeque<(LogLevel, String)>>>;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// Finds and loads ONNX Runtime, or gives the one that is loaded already.
    ///
    /// # Errors
    ///
    /// [`Error::RuntimeNotFound`], or [`Error::RuntimeRefused`] if `asked` or `ORT_DYLIB_PATH`
    /// names a library that can't serve.
    pub fn load(asked: Option<&Path>) -> Result<&'static Self, Error> {
        let _one_at_a_time = lock(&LOADING);
        if let Some(loaded) = RUNTIME.get() {
            return match asked {
                Some(asked) if canonical(asked) != canonical(&loaded.library) => {
                    Err(Error::RuntimeLoadedAlready { loaded: loaded.library.clone(), asked: asked.into() })
                }
                _ => Ok(loaded),
            };
        }
        keep_to_this_machine();
        let runtime = Self::start(find(asked)?)?;
        Ok(RUNTIME.get_or_init(|| runtime))
    }

    fn start(found: Probe) -> Result<Self, Error> {
        let broken = |reason: String| Error::RuntimeBroken { path: found.path.clone(), reason };
        let log = Log::default();
        let environment = ort::init_from(&found.path)
            .map_err(|error| broken(error.to_string()))?
            .with_name("edgegan")
            .with_telemetry(false)
            .with_logger(logger(log.clone()))
            .build()
            .map_err(|error| broken(error.to_string()))?;
        environment.set_log_level(LogLevel::Warning);
        Ok(Self {
            version: found.version,
            environment,
            log,
            log_reader: Mutex::default(),
            library: found.path,
        })
    }

    /// The library's path, absolute where it is known.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The library's version, such as `1.32.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The library's minor version: 32 of `1.32.0`.
    pub(crate) fn minor_version(&self) -> u32 {
        parse_version(&self.version).map_or(0, |(_, minor)| minor)
    }

    /// The library of an execution provider, where ONNX Runtime looks for it: beside itself.
    ///
    /// # Errors
    ///
    /// A sentence that says that it isn't there.
    pub fn provider(&self, provider: Provider) -> Result<PathBuf, String> {
        let name = libloading::library_filename(provider.file());
        // ONNX Runtime resolves links before it looks beside itself.
        let path = canonical(&self.library).with_file_name(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(format!(
                "{} is ONNX Runtime {} without its {provider} provider",
                self.library.display(),
                self.version
            )),
        }
    }

    /// The execution providers that the library was built with, by ONNX Runtime's names, in its own
    /// order. Those that come as a library of their own may still be missing.
    pub fn providers(&self) -> Vec<String> {
        let (mut names, mut count) = (std::ptr::null_mut(), 0);
        // SAFETY: onnxruntime_c_api.h's GetAvailableProviders allocates an array of as many strings
        // as it says, and ReleaseAvailableProviders frees it; neither needs a session. The library
        // is loaded: nothing else creates a `Runtime`.
        unsafe {
            let api = ort::api();
            if !(api.GetAvailableProviders)(&mut names, &mut count).0.is_null() || names.is_null() {
                return Vec::new();
            }
            let list = std::slice::from_raw_parts(names, usize::try_from(count).unwrap_or(0));
            let owned =
                list.iter().map(|name| CStr::from_ptr(*name).to_string_lossy().into_owned()).collect();
            let _ = (api.ReleaseAvailableProviders)(names, count);
            owned
        }
    }

    /// What sessions are created in; a process has one. For graphs other than a generator's.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Empties the log and keeps other readers away from it until the guard is dropped: sessions
    /// share the log, so those that read it are created one at a time.
    pub(crate) fn start_log(&self) -> MutexGuard<'_, ()> {
        let reader = lock(&self.log_reader);
        lock(&self.log).clear();
        reader
    }

    /// Takes what ONNX Runtime has logged since [`start_log`](Self::start_log), or since the last
    /// call.
    pub(crate) fn take_log(&self) -> Vec<(LogLevel, String)> {
        lock(&self.log).drain(..).collect()
    }
}

/// Turns ONNX Runtime's telemetry off, unless the user has set the variable.
fn keep_to_this_machine() {
    if env::var_os(TELEMETRY_VARIABLE).is_none() {
        // SAFETY: `LOADING` lets one thread come here, once, before the library that reads the variable
        // is opened. Rust's own readers of the environment are locked out by the standard library, and
        // nothing else in these programs reads it through C while they start.
        unsafe { env::set_var(TELEMETRY_VARIABLE, "1") };
    }
}

/// Keeps messages instead of printing them, from any thread: warnings, errors, and of the many verbose ones
/// those about [`PLACED`].
fn logger(log: Log) -> LoggerFunction {
    Arc::new(move |level, _category, _id, _location, message| {
        if level < LogLevel::Warning && !message.contains(PLACED) {
            return;
        }
        let mut log = lock(&log);
        if log.len() == KEPT_MESSAGES {
            log.pop_front();
        }
        log.push_back((level, message.to_owned()));
    })
}

/// A message or a flag is whole even if a thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

/// A library that can serve.
struct Probe {
    path: PathBuf,
    version: String,
}

fn find(asked: Option<&Path>) -> Result<Probe, Error> {
    if let Some(path) = asked {
        return probe_named("--runtime", path);
    }
    if let Some(path) = named_by_environment() {
        return probe_named(LIBRARY_VARIABLE, Path::new(&path));
    }
    let mut looked = Vec::new();
    let mut broken = Vec::new();
    for folder in folders() {
        if let Some(found) = probe_all(&folder, &mut broken) {
            return Ok(found);
        }
        looked.push(format!("in {}", folder.display()));
    }
    for name in SYSTEM_NAMES {
        match probe(Path::new(name)) {
            Ok(found) => return Ok(found),
            // For a bare name the loader only says that it found none.
            Err(Refusal::NotALibrary(_)) => {}
            Err(refusal) => broken.push(format!("the system's {name} {refusal}")),
        }
    }
    looked.push(format!("and asked the system for {}", SYSTEM_NAMES.join(" and ")));
    if let Some(found) = packages::folders().iter().find_map(|folder| probe_all(folder, &mut broken)) {
        return Ok(found);
    }
    looked.push("and Python's packages for onnxruntime".into());
    Err(Error::RuntimeNotFound {
        looked: looked.join(", "),
        broken: (broken.iter()).map(|broken| format!("; {broken}")).collect(),
    })
}

/// The first library in a folder that can serve; what can't is added to `broken`.
fn probe_all(folder: &Path, broken: &mut Vec<String>) -> Option<Probe> {
    libraries_in(folder).iter().find_map(|candidate| {
        let refused = |refusal| broken.push(format!("{} {refusal}", candidate.display()));
        probe(candidate).map_err(refused).ok()
    })
}

/// The library that the environment names, which then serves or is an error.
pub(super) fn named_by_environment() -> Option<OsString> {
    env::var_os(LIBRARY_VARIABLE).filter(|path| !path.is_empty())
}

fn probe_named(asked: &'static str, path: &Path) -> Result<Probe, Error> {
    let refused = |refusal| Error::RuntimeRefused { asked, path: path.into(), refusal };
    // `ort` would look for a relative path beside the program first, so it gets an absolute one.
    let path = std::path::absolute(path).map_err(|_| refused(Refusal::Missing))?;
    if path.is_dir() {
        return Err(refused(Refusal::Folder));
    }
    if !path.exists() {
        return Err(refused(Refusal::Missing));
    }
    probe(&path).map_err(refused)
}

/// The folders to look into: the program's own, and `runtime/` of the checkout above it. Started
/// by cargo, the program also knows its package's folder, wherever the build's files are kept.
fn folders() -> Vec<PathBuf> {
    let program = env::current_exe().map(|path| canonical(&path)).ok();
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let beside = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    let checkouts = (program.iter().chain(&package))
        .filter_map(|start| start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()))
        .map(|root| root.join(CHECKOUT_FOLDER));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in beside.into_iter().chain(checkouts) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The ONNX Runtime libraries that lie directly in a folder, the newest first.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let mut libraries: Vec<(Vec<u32>, PathBuf)> = (fs::read_dir(folder).into_iter().flatten())
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((version_of_file(&entry.file_name())?, entry.path()))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    // A name without a version is the folder's own choice: it comes first.
    libraries.sort_by_key(|(version, _)| (!version.is_empty(), std::cmp::Reverse(version.clone())));
    libraries.into_iter().map(|(_, path)| path).collect()
}

/// The version in a library's file name, empty if it has none; `None` for any other file.
fn version_of_file(name: &OsStr) -> Option<Vec<u32>> {
    let version = match name.to_str()? {
        "onnxruntime.dll" | "libonnxruntime.so" | "libonnxruntime.dylib" => "",
        name => (name.strip_prefix("libonnxruntime.so."))
            .or_else(|| name.strip_prefix("libonnxruntime.")?.strip_suffix(".dylib"))?,
    };
    (version.split('.').filter(|part| !part.is_empty())).map(|part| part.parse().ok()).collect()
}

/// Loads a library and asks it for its version and for the interface that `ort` will want.
/// `path` is absolute, or a bare name for the system's loader to find.
fn probe(path: &Path) -> Result<Probe, Refusal> {
    // For a library of another processor the loader says that there is no such file.
    if let Some(other) = elf::other_machine(path) {
        return Err(Refusal::OtherMachine(other));
    }
    // SAFETY: loading runs the library's initialisers. The user, the checkout or the system vouches
    // for a file of this name; there is no way to look into it without loading it.
    let library =
        unsafe { Library::new(path) }.map_err(|error| Refusal::NotALibrary(loader_words(&error, path)))?;
    // SAFETY: onnxruntime_c_api.h declares `const OrtApiBase* OrtGetApiBase(void)`.
    let base = unsafe {
        let get: Symbol<unsafe extern "C" fn() -> *const OrtApiBase> =
            (library.get(c"OrtGetApiBase")).map_err(|_| Refusal::NotOnnxRuntime)?;
        get().as_ref().ok_or(Refusal::NotOnnxRuntime)?
    };
    // SAFETY: OrtApiBase has had this member since 1.0; the string lives as long as the library.
    let version = unsafe {
        let version = (base.GetVersionString)();
        if version.is_null() {
            return Err(Refusal::NotOnnxRuntime);
        }
        CStr::from_ptr(version).to_string_lossy().into_owned()
    };
    // A library that is too old must not be asked for the interface: it complains on stderr.
    if parse_version(&version).is_none_or(|version| version < OLDEST_RUNTIME) {
        return Err(Refusal::TooOld(version));
    }
    // SAFETY: as above; null says that the library hasn't this version of the interface.
    if unsafe { (base.GetApi)(ORT_API_VERSION) }.is_null() {
        return Err(Refusal::TooOld(version));
    }
    let path = match path.is_absolute() {
        true => path.into(),
        false => loaded_path(path).unwrap_or_else(|| path.into()),
    };
    // `ort` opens the same library again; unloading it in between would only cost time.
    std::mem::forget(library);
    Ok(Probe { path, version })
}

/// The system loader's own reason.
pub fn words(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// The loader's reason, without the path that the message names already.
fn loader_words(error: &libloading::Error, path: &Path) -> String {
    let words = words(error);
    match words.strip_prefix(&format!("{}: ", path.display())) {
        Some(rest) => rest.into(),
        None => words,
    }
}

/// Where the system's loader found a library of a bare name: Linux lists what a process has mapped.
fn loaded_path(name: &Path) -> Option<PathBuf> {
    let name = name.to_str()?;
    (fs::read_to_string("/proc/self/maps").ok()?.lines())
        .filter_map(|line| Some(Path::new(&line[line.find('/')?..])))
        .find(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)))
        .map(Path::to_owned)
}

/// Major and minor version of `1.32.0`.
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_folder_comes_first() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        for name in [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime.so.1.17.1",
            "libonnxruntime_providers_cuda.so",
            "libonnxruntime.so.txt",
            "README",
        ] {
            fs::write(folder.path().join(name), "")?;
        }
        fs::create_dir(folder.path().join("libonnxruntime.so.2.0.0"))?;
        let found = || -> Vec<_> {
            (libraries_in(folder.path()).iter())
                .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
                .collect()
        };
        let versioned = ["libonnxruntime.so.1.32.0", "libonnxruntime.so.1.17.1", "libonnxruntime.so.1.9.0"];
        assert_eq!(found(), versioned);
        fs::write(folder.path().join("libonnxruntime.so"), "")?;
        assert_eq!(found()[0], "libonnxruntime.so");
        assert_eq!(found()[1..], versioned);
        Ok(())
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("1.9.0"), Some((1, 9)));
        assert!(parse_version("1.9.0") < Some(OLDEST_RUNTIME));
        assert!(parse_version("1.32.0-dev") > Some(OLDEST_RUNTIME));
        assert_eq!(parse_version("unknown"), None);
        assert_eq!(parse_version(""), None);
    }
}
