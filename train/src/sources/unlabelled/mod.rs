//! A folder of pictures without labels: PNG, JPEG, WebP and BMP files, in any sub-folders.
//!
//! What is a picture is seen from its first bytes; a file that only has a picture's extension counts
//! as one that can't be read. A few of those are left out, with a note.

mod cache;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use contract::picture::Framing;
use contract::{run, shown};

use self::cache::{Cache, Content};
use super::error::{DataError, KINDS};
use super::labelled::LabelledImages;
use super::layout::{Loaded, OnProgress, Progress};
use super::name;
use super::pictures::decode::{self, Fit};
use super::pictures::walk::{File, Walk};
use super::pictures::{few, visible};
use super::size::Size;
use super::split::Split;

/// One picture in this many may be unreadable; if more are, something is wrong with the folder.
const MOST_UNREADABLE: usize = 10;

/// A folder of pictures, and what they are made into.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// The size of all pictures in the end.
    pub size: Size,
    /// How they come to it.
    pub framing: Framing,
    /// Which part, if the folder has the folders `train` and `test`.
    pub split: Split,
    /// A folder for decoded pictures, so that the next time is quick. None: nothing is kept.
    pub cache: Option<PathBuf>,
}

/// Loads all pictures of a folder. They are grey if every one is.
///
/// `progress` is called as it goes on, unless the pictures come from the cache.
///
/// # Errors
/// If the folder can't be read or has no pictures, or more than a tenth of them can't be read.
pub fn load(folder: &Folder, progress: OnProgress<'_>) -> Result<Loaded, DataError> {
    let name = name::of_folder(&folder.path);
    let (part, beside) = part(folder)?;
    let folder = &Folder { path: part, ..folder.clone() };
    let Walk { pictures: files, aside, .. } = pictures(&folder.path)?;
    let cache = folder.cache.as_ref().map(|cache| Cache::new(cache, folder, &files));
    let known = cache.as_ref().and_then(|cache| cache.read(files.len(), folder.size));
    let (content, unkept) = match known {
        Some(content) => (content, None),
        None => {
            let content = decode(folder, &files, progress)?;
            let unkept = cache.and_then(|cache| cache.write(&content).err());
            (content, unkept)
        }
    };
    let Content { images, mut notes } = content;
    notes.extend(aside.notes(&folder.path));
    notes.extend(beside);
    notes.extend(unkept.map(|error| format!("the pictures will be decoded again the next time: {error}")));
    let data = LabelledImages::unlabelled(images, name);
    Ok(Loaded { data, notes })
}

/// Whether a folder's pictures are in two parts.
pub fn has_test(folder: &Path) -> bool {
    ["train", "test"].iter().all(|part| folder.join(part).is_dir()) && !run::is_run(folder)
}

/// The folder of the part that is asked for, and a sentence about what lies beside its parts.
///
/// # Errors
/// [`DataError::At`] if a test part is asked for and there is none.
fn part(folder: &Folder) -> Result<(PathBuf, Option<String>), DataError> {
    let Folder { path, split, .. } = folder;
    match (has_test(path), split) {
        (true, Split::Train | Split::Test) => {
            let beside = visible(path)?.into_iter().filter(|(name, _)| name != "train" && name != "test");
            let beside: Vec<_> = beside.map(|(_, path)| path).collect();
            let note = (!beside.is_empty()).then(|| {
                format!("not used in {}, being in no part of it: {}", shown(path), few(path, &beside))
            });
            Ok((path.join(split.name()), note))
        }
        (false, Split::Test) => {
            let message = "has no test part; leave out --split, or put the test pictures into a folder test \
                           beside a folder train";
            Err(DataError::at(path, message))
        }
        _ => Ok((path.clone(), None)),
    }
}

/// All pictures in a folder and its sub-folders, each folder's in the natural order of names.
///
/// # Errors
/// [`DataError::At`] if a folder can't be read, or contains no picture.
fn pictures(folder: &Path) -> Result<Walk, DataError> {
    let expected = || format!("expected {KINDS} pictures, in any sub-folders");
    if folder.is_file() {
        return Err(DataError::at(folder, "this is a file; name the folder that it lies in"));
    }
    if run::is_run(folder) {
        return Err(DataError::at(folder, "this is a run of `train` and no data; name a folder of pictures"));
    }
    let walk = Walk::through(folder)?;
    match (walk.pictures.is_empty(), walk.others) {
        (false, _) => Ok(walk),
        (true, 0) => Err(DataError::at(folder, format!("the folder is empty; {}", expected()))),
        (true, others) => {
            let message = format!("there are no pictures in it, only other files ({others}); {}", expected());
            Err(DataError::at(folder, message))
        }
    }
}

fn decode(folder: &Folder, files: &[File], progress: OnProgress<'_>) -> Result<Content, DataError> {
    let fit = Fit { size: folder.size, framing: folder.framing };
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    let (mut pictures, mut unreadable, mut reason) = (Vec::with_capacity(paths.len()), Vec::new(), None);
    let mut progress = |done, total| progress(Progress::Decode { done, total });
    decode::each(&paths, fit, &mut progress, |path, picture| {
        match picture {
            Ok(picture) => pictures.push(picture),
            Err(error) => {
                reason.get_or_insert_with(|| reason_of(error));
                unreadable.push(path.to_owned());
            }
        }
        Ok(())
    })?;
    let found = format!("{} of {} pictures can't be read", unreadable.len(), paths.len());
    let names = few(&folder.path, &unreadable);
    if unreadable.len() * MOST_UNREADABLE > paths.len() {
        let reason = reason.unwrap_or_default();
        let message = format!(
            "{found}, more than one in {MOST_UNREADABLE}: {names} (the first: {reason}); convert them to \
             {KINDS}, or take them out"
        );
        return Err(DataError::at(&folder.path, message));
    }
    let note = (!unreadable.is_empty()).then(|| format!("{found} and are left out: {names}"));
    let notes = note.into_iter().collect();
    Ok(Content { images: decode::together(pictures, folder.size)?, notes })
}

/// Why a picture can't be read, without its name.
fn reason_of(error: DataError) -> String {
    match error {
        DataError::Picture { message, .. } => message,
        error => error.to_string(),
    }
}
