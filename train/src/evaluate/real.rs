//! The real pictures that others are compared with, as the judge takes them.

use std::path::Path;

use anyhow::{Result, bail};
use contract::picture::Framing;
use models::architectures::judge::Sizes;
use models::judge::Judge;

use super::{known, set, shuffled};
use crate::sources::unlabelled::{self, Folder};
use crate::sources::{self, LabelledImages, Size, Source, Split};

/// Of so many pictures without a test part, one is held out of a judge's training.
const HELD_OUT: usize = 6;

/// Real pictures.
pub struct Real {
    /// Those that generators learn from.
    pub training: LabelledImages,
    /// Those that no generator has seen, if the data have such a part.
    pub test: Option<LabelledImages>,
}

impl Real {
    /// The pictures of a folder, or MNIST, made as those were that the judge was trained on.
    ///
    /// Where others `with_labels` are to be compared, they have the judge's classes. Where not, they may
    /// have them, or be any pictures.
    ///
    /// # Errors
    /// One sentence, if they can't be read, or are not what the judge takes.
    pub fn load(folder: Option<&Path>, judge: &Judge, with_labels: bool) -> Result<Real> {
        let Sizes { height, width, .. } = judge.header.config;
        let (size, framing) = (Size { width, height }, judge.header.framing);
        if folder.is_none() && judge.header.config != Sizes::default() {
            bail!(
                "the judge was trained on {}, which are not like MNIST; name the folder of the real images with \
                 --real",
                judge.header.provenance.dataset
            );
        }
        let source = Source { path: folder.map(Path::to_path_buf), mirror: None, size: Some(size), framing };
        let real = match folder {
            Some(folder) if !with_labels => match Real::labelled(&source) {
                Ok(real) if real.training.class_names() == judge.header.provenance.classes => real,
                _ => Real::unlabelled(folder, size, framing)?,
            },
            _ => Real::labelled(&source)?,
        };
        for data in real.parts() {
            set::check_size(data.images().shape(), judge, data.name())?;
            if data.has_labels() && data.class_names() != judge.header.provenance.classes {
                bail!(
                    "the real data {} are of the classes {}, but the judge knows {}; give others with --real, or \
                     another --judge",
                    data.name(),
                    data.class_names().join(", "),
                    judge.header.provenance.classes.join(", ")
                );
            }
        }
        if real.training.has_labels() {
            known::check(judge, &real.training)?;
        }
        Ok(real)
    }

    /// Both parts of data with labels, or the one that there is.
    ///
    /// # Errors
    /// One sentence that says what is wrong with them and what to do.
    pub fn labelled(source: &Source) -> Result<Real> {
        let part = |split| sources::load(source, split, &mut |_| ()).map(|loaded| loaded.data);
        let test = sources::has_test(source.path.as_deref()).then(|| part(Split::Test)).transpose()?;
        Ok(Real { training: part(Split::Train)?, test })
    }

    fn unlabelled(folder: &Path, size: Size, framing: Framing) -> Result<Real> {
        let part = |split| {
            let folder = Folder { path: folder.to_path_buf(), size, framing, split, cache: None };
            unlabelled::load(&folder, &mut |_| ()).map(|loaded| loaded.data)
        };
        let test = unlabelled::has_test(folder).then(|| part(Split::Test)).transpose()?;
        Ok(Real { training: part(Split::Train)?, test })
    }

    fn parts(&self) -> impl Iterator<Item = &LabelledImages> {
        [&self.training].into_iter().chain(&self.test)
    }
}

/// Data in two: those to train a judge on, and every sixth, taken at random, to try it on.
///
/// # Errors
/// If there are fewer than two pictures.
pub fn held_out(data: &LabelledImages) -> Result<(LabelledImages, LabelledImages)> {
    if data.len() < 2 {
        bail!("{} has one image, and a judge is tried on others than it learns from; give more", data.name());
    }
    let order = shuffled(data.len());
    let (test, training) = order.split_at(data.len().div_ceil(HELD_OUT));
    Ok((data.picked(training)?, data.picked(test)?))
}

#[cfg(test)]
mod tests {
    use super::held_out;
    use crate::sources::{Images, LabelledImages};

    #[test]
    fn a_sixth_is_held_out_and_nothing_is_lost() {
        let of = |n: u8| {
            let images = Images::new(1, 1, (0..n).collect()).unwrap();
            LabelledImages::new(images, (0..n).map(|i| i % 3).collect(), 3, "data").unwrap()
        };
        let (training, test) = held_out(&of(13)).unwrap();
        assert_eq!((training.len(), test.len()), (10, 3));
        let mut all = [training.images().pixels(), test.images().pixels()].concat();
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter(0..13));
        assert!((0..3).all(|i| test.labels()[i] == test.images().pixels()[i] % 3));
        assert_eq!(held_out(&of(2)).unwrap().1.len(), 1);
        assert!(held_out(&of(1)).unwrap_err().to_string().contains("data has one image"));
    }
}
