//! Pictures and their labels, which agree.

#[cfg(test)]
mod tests;

use std::path::Path;

use contract::dataset::Images;
use contract::dataset::idx::{header, read_images, read_labels};
use contract::files::hex;
use sha2::{Digest, Sha256};

use super::error::DataError;
use super::size::{self, Size};

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
    /// As [`with_class_names`](Self::with_class_names), of classes that are called by their numbers.
    #[cfg(test)]
    pub(crate) fn new(
        images: Images,
        labels: Vec<u8>,
        classes: usize,
        name: &str,
    ) -> Result<Self, DataError> {
        Self::with_class_names(images, labels, numbers(classes), name)
    }

    /// Puts pictures and labels together, with a name for each class, in the labels' order; `name` is the
    /// dataset's.
    ///
    /// # Errors
    /// If there aren't as many labels as pictures, or a label has no name.
    pub fn with_class_names(
        images: Images,
        labels: Vec<u8>,
        class_names: Vec<String>,
        name: impl Into<String>,
    ) -> Result<Self, DataError> {
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
    ) -> Result<Self, DataError> {
        let images = read_images(images_path)?;
        let labels = read_labels(labels_path)?;
        let [images_name, labels_name] = [images_path, labels_path].map(|p| p.display().to_string());
        check(&images, &images_name, &labels, &labels_name, classes)?;
        Ok(Self { images, labels, class_names: numbers(classes), name: name.into() })
    }

    /// This set followed by `other`, under this set's name.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if their pictures differ in size, only one is in colour, or only one of them
    /// has labels.
    pub fn followed_by(mut self, other: &LabelledImages) -> Result<Self, DataError> {
        let mismatch = |message: String| Err(DataError::Unusable(message));
        // The name of the set of which it is true, before the other's.
        let names = |first: bool| match first {
            true => [&self.name, &other.name],
            false => [&other.name, &self.name],
        };
        let [(h, w), (other_h, other_w)] =
            [&self, other].map(|set| (set.images.height(), set.images.width()));
        if (h, w) != (other_h, other_w) {
            let [first, second] = names(true);
            return mismatch(format!(
                "the pictures of {first} are {h}×{w} but those of {second} are {other_h}×{other_w}; give files \
                 with pictures of one size"
            ));
        }
        if self.images.channels() != other.images.channels() {
            let [grey, colour] = names(self.images.channels() == 1);
            return mismatch(format!(
                "the pictures of {grey} are grey but those of {colour} in colour; give files of one kind"
            ));
        }
        if self.has_labels() != other.has_labels() {
            let [labelled, unlabelled] = names(self.has_labels());
            return mismatch(format!(
                "{labelled} has labels but {unlabelled} has none; give sets that both have labels, or neither"
            ));
        }
        self.images.append(&other.images);
        self.labels.extend_from_slice(&other.labels);
        if self.classes() < other.classes() {
            self.class_names.clone_from(&other.class_names);
        }
        Ok(self)
    }

    /// Some of the pictures, by their indices.
    ///
    /// # Errors
    /// If these are none.
    pub fn picked(&self, indices: &[usize]) -> Result<Self, DataError> {
        let LabelledImages { images, labels, class_names, name } = self;
        Ok(Self {
            images: images.picked(indices)?,
            labels: indices.iter().map(|&i| labels[i]).collect(),
            class_names: class_names.clone(),
            name: name.clone(),
        })
    }

    pub(super) fn renamed(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same pictures in other classes: `classes` pairs each one's label as it is now with its name;
    /// its place there becomes its label.
    ///
    /// # Errors
    /// [`DataError::Unusable`] if a label is none of them.
    pub(super) fn relabelled(mut self, classes: Vec<(u8, String)>) -> Result<Self, DataError> {
        let mut place = [None; 256];
        for (index, (label, _)) in classes.iter().enumerate() {
            place[usize::from(*label)] = u8::try_from(index).ok();
        }
        for (index, label) in self.labels.iter_mut().enumerate() {
            *label = place[usize::from(*label)]
                .ok_or_else(|| no_class(&self.name, index, *label, classes.len()))?;
        }
        self.class_names = classes.into_iter().map(|(_, name)| name).collect();
        Ok(self)
    }

    /// The same pictures upright, if they were stored column by column.
    pub(super) fn transposed(self) -> Self {
        Self { images: self.images.transposed(), ..self }
    }

    /// The same pictures in another size: stretched, or of their middle the largest part of that shape.
    ///
    /// # Errors
    /// If `size` is of no picture.
    pub(super) fn resized(self, size: Size, crop: bool) -> Result<Self, DataError> {
        Ok(Self { images: size::resized(self.images, size, crop)?, ..self })
    }

    /// SHA-256 of the uncompressed images file and of the labels file.
    pub(super) fn file_digests(&self) -> [String; 2] {
        [self.hash_images(Sha256::new()), self.hash_labels(Sha256::new())].map(|hash| hex(hash.finalize()))
    }

    /// A hash, fed with the uncompressed IDX file that holds these pictures. Coloured ones have one dimension
    /// more, and lie there plane by plane.
    fn hash_images(&self, hash: Sha256) -> Sha256 {
        let shape = self.images.shape().map(|size| size as u32);
        let dims = if self.images.channels() == 1 { &shape[1..] } else { &shape };
        hash.chain_update(header(self.len() as u32, dims)).chain_update(self.images.pixels())
    }

    /// A hash, fed with the uncompressed IDX file that holds these labels.
    fn hash_labels(&self, hash: Sha256) -> Sha256 {
        hash.chain_update(header(self.len() as u32, &[])).chain_update(&self.labels)
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

    /// Whether the pictures have labels.
    pub fn has_labels(&self) -> bool {
        self.classes() > 0
    }

    /// How many are of each class.
    pub fn of_each_class(&self) -> Vec<usize> {
        let mut found = vec![0; self.classes()];
        self.labels().iter().for_each(|&label| found[usize::from(label)] += 1);
        found
    }

    /// The classes' names, in the labels' order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest of the same pictures without their labels.
    pub fn digest_of_images(&self) -> String {
        hex(self.hash_images(Sha256::new()).finalize())
    }

    /// SHA-256, in hexadecimal, of the set's uncompressed IDX files, images before labels. For MNIST's
    /// training images it is `cat train-images-idx3-ubyte train-labels-idx1-ubyte | sha256sum`. Where the
    /// classes have names that aren't their numbers, the names follow, one a line. Where there are no
    /// labels, it is that of the images file alone.
    pub fn digest(&self) -> String {
        let mut hash = self.hash_images(Sha256::new());
        if self.has_labels() {
            hash = self.hash_labels(hash);
        }
        if self.class_names != numbers(self.classes()) {
            self.class_names.iter().for_each(|name| hash.update(format!("{name}\n")));
        }
        hex(hash.finalize())
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
) -> Result<(), DataError> {
    let (image_count, label_count) = (images.count(), labels.len());
    if image_count != label_count {
        return Err(DataError::Unusable(format!(
            "{images_name} holds {image_count} images but {labels_name} holds {label_count} labels; give the two \
             files that belong together"
        )));
    }
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(index) => Err(no_class(labels_name, index, labels[index], classes)),
        None => Ok(()),
    }
}

/// Label `index` names a class that isn't there.
fn no_class(labels: &str, index: usize, label: u8, classes: usize) -> DataError {
    DataError::Unusable(format!(
        "label {index} of {labels} is {label}, but every label must be below {classes}, the number of classes; \
         give labels of {classes} classes"
    ))
}
