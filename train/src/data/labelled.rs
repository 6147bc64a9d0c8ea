//! Pictures and their labels, which agree.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::idx::{IdxError, Images, hash_labels_idx, read_images, read_labels};

/// Pictures with one label each. Every label is below the number of classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImages {
    images: Images,
    labels: Vec<u8>,
    classes: usize,
    name: String,
}

impl LabelledImages {
    /// Puts pictures and labels together; `name` is the dataset's.
    ///
    /// # Errors
    /// If there aren't as many labels as pictures, or a label isn't below `classes`.
    pub fn new(
        images: Images,
        labels: Vec<u8>,
        classes: usize,
        name: impl Into<String>,
    ) -> Result<Self, IdxError> {
        let name = name.into();
        check(&images, &name, &labels, &name, classes)?;
        Ok(Self { images, labels, classes, name })
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
        Ok(Self { images, labels, classes, name: name.into() })
    }

    /// This set followed by `other`, under this set's name.
    ///
    /// # Errors
    /// [`IdxError::Sizes`] if their pictures differ in size.
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
        self.images.append(&other.images);
        self.labels.extend_from_slice(&other.labels);
        self.classes = self.classes.max(other.classes);
        Ok(self)
    }

    pub(super) fn renamed(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// SHA-256 of the uncompressed images file and of the labels file.
    pub(super) fn file_digests(&self) -> [String; 2] {
        let (mut images, mut labels) = (Sha256::new(), Sha256::new());
        self.images.hash_idx(&mut images);
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

    /// The label of each picture, from 0 to `classes() - 1`.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256, in hexadecimal, of the set's uncompressed IDX files, images before labels. For MNIST's
    /// training images it is `cat train-images-idx3-ubyte train-labels-idx1-ubyte | sha256sum`.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.images.hash_idx(&mut hash);
        hash_labels_idx(&self.labels, &mut hash);
        format!("{:x}", hash.finalize())
    }
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
