//! Where a model comes from, and what its file says before any engine has seen it.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{BufReader, Cursor},
    path::{Path, PathBuf},
    sync::Arc,
};

use contract::files;

use contract::{
    Contract,
    onnx::{self, Header},
};

use crate::Error;

/// Where a model comes from.
#[derive(Debug, Clone, Copy)]
pub enum ModelSource<'a> {
    /// A file.
    File(&'a Path),
    /// The bytes of a file.
    Bytes {
        /// What messages call it.
        name: &'a str,
        /// The whole file.
        bytes: &'a [u8],
    },
    /// The bytes of a file that are part of the program: weights are used where they lie, if they
    /// are aligned for float32.
    Embedded {
        /// What messages call it.
        name: &'static str,
        /// The whole file.
        bytes: &'static [u8],
    },
}

/// A model that a user names: a file, or a pipe, which can be read once and is read here.
#[derive(Debug, Clone)]
pub struct ModelFile {
    path: PathBuf,
    /// What came through the pipe, and what messages call it.
    piped: Option<(String, Arc<[u8]>)>,
}

impl ModelFile {
    /// Names a file; a pipe, such as a shell's `<(…)`, is read to its end.
    ///
    /// # Errors
    ///
    /// [`Error::ModelUnreadable`] if a pipe can't be read or holds more than an ONNX file can, which is
    /// 2 GiB. That a file is there shows when it is used.
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let piped = match fs::metadata(&path) {
            Ok(found) if files::is_pipe(&found) => Some((
                path.display().to_string(),
                files::read(&path).map_err(|error| unreadable(&path, error))?.into(),
            )),
            _ => None,
        };
        Ok(Self { path, piped })
    }

    /// Where to read the model from, as often as is needed.
    pub fn source(&self) -> ModelSource<'_> {
        match &self.piped {
            Some((name, bytes)) => ModelSource::Bytes { name, bytes },
            None => ModelSource::File(&self.path),
        }
    }

    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl ModelSource<'_> {
    /// What messages call the model.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } | Self::Embedded { name, .. } => (*name).into(),
        }
    }

    /// Its file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes { .. } | Self::Embedded { .. } => None,
        }
    }

    /// Reads what the model says about itself, and checks that its graph takes and gives what the
    /// contract says; no engine is needed for it.
    ///
    /// # Errors
    ///
    /// [`Error::ModelUnreadable`], [`Error::NotOnnx`], [`Error::NotAGenerator`] or
    /// [`Error::OtherInterface`].
    pub fn contract(&self) -> Result<Contract, Error> {
        self.contract_in(&self.header()?)
    }

    /// As [`contract`](Self::contract), in what was read of the file.
    pub(crate) fn contract_in(&self, header: &Header) -> Result<Contract, Error> {
        let contract = Contract::from_metadata(|key| header.get(key))
            .map_err(|found| Error::NotAGenerator { model: self.name(), found })?;
        onnx::check(header, &contract).map_err(|(found, expected)| Error::OtherInterface {
            model: self.name(),
            found,
            expected,
        })?;
        Ok(contract)
    }

    /// What the file says before its nodes and weights.
    pub(crate) fn header(&self) -> Result<Header, Error> {
        let header = match self {
            Self::File(path) => Header::read(&mut BufReader::new(open(path)?)),
            Self::Bytes { bytes, .. } | Self::Embedded { bytes, .. } => Header::read(&mut Cursor::new(bytes)),
        };
        header.map_err(|found| Error::NotOnnx { model: self.name(), found })
    }

    /// SHA-256 of the whole file, hexadecimal.
    ///
    /// # Errors
    ///
    /// [`Error::ModelUnreadable`].
    pub fn sha256(&self) -> Result<String, Error> {
        match self {
            Self::File(path) => files::sha256_of(open(path)?).map_err(|error| unreadable(path, error)),
            Self::Bytes { bytes, .. } | Self::Embedded { bytes, .. } => Ok(files::sha256(bytes)),
        }
    }

    /// The whole file, without a copy where it is part of the program.
    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, Error> {
        match self {
            Self::File(path) => fs::read(path).map(Cow::Owned).map_err(|error| unreadable(path, error)),
            Self::Bytes { bytes, .. } => Ok(Cow::Owned(bytes.to_vec())),
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(unreadable(path, "this is a folder"));
    }
    if !metadata.is_file() {
        return Err(unreadable(path, "this is a device, or a pipe where a file has to be read twice"));
    }
    File::open(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, found: impl ToString) -> Error {
    Error::ModelUnreadable { path: path.display().to_string(), found: found.to_string() }
}
