//! Pictures and their labels, which agree.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::idx::{IdxError, hash_images_idx, hash_labels_idx, read_images, read_labels};
use super::images::Images;
use super::size::Size;

/// Pictures with one label each. Every label is below the number of classes, and every class has a
/// name. Or pictures alone: then there are no classes, and every label is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImages {
    images: Images,
    labels: Vec<u8>,
    class_names: Vec<String>,
    name: String,
}

impl LabelledImages {
    /// Puts pictures and labels together; `name` is the dataset's. The classes are called by their
    /// numbers.
    ///
    /// # Errors
    /// If there aren't as many labels as pictures, or a label isn't below `classes`.
    pub fn new(
        images: Images,
        labels: Vec<u8>,
        classes: usize,
        name: impl Into<String>,
    ) -> Result<Self, IdxError> {
        Self::with_class_names(images, labels, numbers(classes), name)
    }

    /// Puts pictures and labels together, with a name for each class, in the labels' order.
    ///
    /// # Errors
    /// If there aren't as many labels as pictures, or a label has no name.
    pub fn with_class_names(
        images: Images,
        labels: Vec<u8>,
        class_names: Vec<String>,
        name: impl Into<String>,
    ) -> Result<Self, IdxError> {
        let name = name.into();
        check(&images, &name, &labels, &name, class_names.len())?;
        Ok(Self { images, labels, class_names, name })
    }

    /// Pictures that have no labels; `name` is the dataset's.
    pub fn unlabelled(images: Images, name: impl Into<String>) -> Self {
        let labels = vec![0; images.count()];
        Self { images, labels, class_names: Vec::new(), name: name.into() }
    }

    /// Reads an images and a labels file, each plain or gzip.
    ///
    /// # Errors
    /// If one of them is malformed, or they don't belong together.
    pub fn read(
        images_path: &Path,
        labels_path: &Path,
        classes: usize,
        name: impl Into<String>,
    ) -> Result<Self, IdxError> {
        let images = read_images(images_path)?;
        let labels = read_labels(labels_path)?;
        let [images_name, labels_name] = [images_path, labels_path].map(|p| p.display().to_string());
        check(&images, &images_name, &labels, &labels_name, classes)?;
        Ok(Self { images, labels, class_names: numbers(classes), name: name.into() })
    }

    /// This set followed by `other`, under this set's name.
    ///
    /// # Errors
    /// [`IdxError::Sizes`] if their pictures differ in size, [`IdxError::Colours`] if only one is in colour,
    /// [`IdxError::Unlabelled`] if only one of them has labels.
    pub fn followed_by(mut self, other: &LabelledImages) -> Result<Self, IdxError> {
        let size = |set: &LabelledImages| (set.images.height(), set.images.width());
        if size(&self) != size(other) {
            return Err(IdxError::Sizes {
                first_size: size(&self),
                first: self.name,
                second: other.name.clone(),
                second_size: size(other),
            });
        }
        if self.images.channels() != other.images.channels() {
            let mut names = [self.name, other.name.clone()];
            if self.images.channels() > 1 {
                names.reverse();
            }
            let [grey, colour] = names;
            return Err(IdxError::Colours { grey, colour });
        }
        if (self.classes() == 0) != (other.classes() == 0) {
            let mut names = [self.name, other.name.clone()];
            if self.class_names.is_empty() {
                names.reverse();
            }
            let [labelled, unlabelled] = names;
            return Err(IdxError::Unlabelled { labelled, unlabelled });
        }
        self.images.append(&other.images);
        self.labels.extend_from_slice(&other.labels);
        if self.classes() < other.classes() {
            self.class_names.clone_from(&other.class_names);
        }
        Ok(self)
    }

    pub(super) fn renamed(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same pictures in other classes: `classes` pairs each one's label as it is now with its name;
    /// its place there becomes its label.
    ///
    /// # Errors
    /// [`IdxError::Label`] if a label is none of them.
    pub(super) fn relabelled(mut self, classes: Vec<(u8, String)>) -> Result<Self, IdxError> {
        let mut place = [None; 256];
        for (index, (label, _)) in classes.iter().enumerate() {
            place[usize::from(*label)] = u8::try_from(index).ok();
        }
        for (index, label) in self.labels.iter_mut().enumerate() {
            let (labels, classes) = (&self.name, classes.len());
            *label = place[usize::from(*label)].ok_or_else(|| IdxError::Label {
                labels: labels.clone(),
                index,
                found: *label,
                classes,
            })?;
        }
        self.class_names = classes.into_iter().map(|(_, name)| name).collect();
        Ok(self)
    }

    /// The same pictures upright, if they were stored column by column.
    pub(super) fn transposed(self) -> Self {
        Self { images: self.images.transposed(), ..self }
    }

    /// The same pictures in another size.
    pub(super) fn resized(self, size: Size) -> Self {
        Self { images: self.images.resized(size), ..self }
    }

    /// SHA-256 of the uncompressed images file and of the labels file.
    pub(super) fn file_digests(&self) -> [String; 2] {
        let (mut images, mut labels) = (Sha256::new(), Sha256::new());
        hash_images_idx(&self.images, &mut images);
        hash_labels_idx(&self.labels, &mut labels);
        [images, labels].map(|hash| format!("{:x}", hash.finalize()))
    }

    /// Number of pictures, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The pictures.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// The label of each picture, from 0 to `classes() - 1`; 0 for all where there are no classes.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Number of classes. 0: the pictures have no labels.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// The classes' names, in the labels' order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256, in hexadecimal, of the set's uncompressed IDX files, images before labels. For MNIST's
    /// training images it is `cat train-images-idx3-ubyte train-labels-idx1-ubyte | sha256sum`. Where the
    /// classes have names that aren't their numbers, the names follow, one a line. Where there are no
    /// labels, it is that of the images file alone.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash_images_idx(&self.images, &mut hash);
        if self.classes() > 0 {
            hash_labels_idx(&self.labels, &mut hash);
        }
        if self.class_names != numbers(self.classes()) {
            self.class_names.iter().for_each(|name| hash.update(format!("{name}\n")));
        }
        format!("{:x}", hash.finalize())
    }
}

/// The names of classes that have no others: "0", "1", …
fn numbers(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

fn check(
    images: &Images,
    images_name: &str,
    labels: &[u8],
    labels_name: &str,
    classes: usize,
) -> Result<(), IdxError> {
    if images.count() != labels.len() {
        return Err(IdxError::Counts {
            images: images_name.to_owned(),
            image_count: images.count(),
            labels: labels_name.to_owned(),
            label_count: labels.len(),
        });
    }
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(index) => {
            Err(IdxError::Label { labels: labels_name.to_owned(), index, found: labels[index], classes })
        }
        None => Ok(()),
    }
}
