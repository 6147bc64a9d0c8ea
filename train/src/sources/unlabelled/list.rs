//! Which files of a folder are pictures.

use std::path::Path;

use contract::run;

use crate::sources::error::DataError;
use crate::sources::pictures::KINDS;
use crate::sources::pictures::walk::Walk;

/// All pictures in a folder and its sub-folders, each folder's in the natural order of names.
///
/// # Errors
/// [`DataError::At`] if a folder can't be read, or there is no picture.
pub(super) fn pictures(folder: &Path) -> Result<Walk, DataError> {
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
