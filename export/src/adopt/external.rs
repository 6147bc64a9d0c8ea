//! Weights that lie in files beside an ONNX file, as PyTorch's newer exporter writes them, into the model: one
//! file is all that `infer` takes.
//!
//! A model says where they lie (`TensorProto.external_data`: location, offset, length), and anyone may have
//! written it. So only files in the model's own folder are read, links followed, each byte of them for one
//! tensor, and no more than an ONNX file can hold.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use candle_onnx::onnx::{AttributeProto, GraphProto, ModelProto, TensorProto, tensor_proto::DataLocation};
use contract::onnx::element;

use crate::reader::LARGEST;

/// Reads all such weights of the model at `path`; gives the files that they came from.
///
/// # Errors
/// A sentence about the first tensor that can't be read.
pub fn load(model: &mut ModelProto, path: &Path) -> Result<Vec<PathBuf>, String> {
    let mut beside = Beside { model: path, files: HashMap::new(), left: LARGEST };
    if let Some(graph) = &mut model.graph {
        beside.graph(graph)?;
    }
    for function in &mut model.functions {
        for node in &mut function.node {
            node.attribute.iter_mut().try_for_each(|attribute| beside.attribute(attribute))?;
        }
    }
    Ok(beside.files.into_keys().collect())
}

/// The files beside a model.
struct Beside<'a> {
    model: &'a Path,
    /// Each file that was opened, by its path, and how many of its bytes no tensor has taken.
    files: HashMap<PathBuf, (File, u64)>,
    /// How many bytes may still be read.
    left: u64,
}

impl Beside<'_> {
    fn graph(&mut self, graph: &mut GraphProto) -> Result<(), String> {
        graph.initializer.iter_mut().try_for_each(|tensor| self.tensor(tensor))?;
        let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
        attributes.into_iter().try_for_each(|attribute| self.attribute(attribute))
    }

    fn attribute(&mut self, attribute: &mut AttributeProto) -> Result<(), String> {
        attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(|tensor| self.tensor(tensor))?;
        attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(|graph| self.graph(graph))
    }

    fn tensor(&mut self, tensor: &mut TensorProto) -> Result<(), String> {
        if tensor.data_location() != DataLocation::External {
            return Ok(());
        }
        let read = self.bytes(tensor);
        tensor.raw_data = read.map_err(|found| format!("its tensor {} {found}", tensor.name))?;
        tensor.data_location = DataLocation::Default.into();
        tensor.external_data.clear();
        Ok(())
    }

    /// A tensor's bytes; an error is a phrase that follows its name.
    fn bytes(&mut self, tensor: &TensorProto) -> Result<Vec<u8>, String> {
        let get = |key: &str| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str())
        };
        let number = |key: &str| match get(key) {
            Some(text) => match text.parse::<u64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(format!("has the {key} {text:?} in another file")),
            },
            None => Ok(None),
        };
        let location = get("location").ok_or("lies in another file that it doesn't name")?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let size = size(tensor).ok_or("has no size that a tensor can have")?;
        if length.is_some_and(|length| length != size) {
            return Err(format!(
                "takes {} bytes of {location:?}, where its shape has {size}",
                length.unwrap_or_default()
            ));
        }
        let path = self.path(location)?;
        let wrong = |found: String| format!("lies in {}, {found}", path.display());
        let (file, left) = match self.files.entry(path.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let file =
                    File::open(&path).map_err(|error| wrong(format!("which can't be read ({error})")))?;
                let held = file.metadata().map_err(|error| wrong(error.to_string()))?.len();
                entry.insert((file, held))
            }
        };
        let taken = left.checked_sub(size).zip(self.left.checked_sub(size));
        let (of_file, of_all) = taken.ok_or_else(|| {
            wrong(format!("of which its tensors take more than it holds, or more than {LARGEST} bytes"))
        })?;
        (*left, self.left) = (of_file, of_all);
        file.seek(SeekFrom::Start(offset)).map_err(|error| wrong(error.to_string()))?;
        let mut bytes = Vec::new();
        file.take(size).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(wrong(format!("which ends after {} of its {size} bytes", bytes.len()))),
        }
    }

    /// The file that a location names, if it is in the model's folder.
    fn path(&self, location: &str) -> Result<PathBuf, String> {
        let wrong = |found: &str| format!("lies in {location:?}, {found}");
        let is_below = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
        if location.is_empty() || !is_below {
            return Err(wrong("which is not in the model's own folder"));
        }
        let folder = match self.model.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let missing = |error: std::io::Error| {
            wrong(&format!("which is not there ({error}); it has to lie beside the model"))
        };
        let path = folder.join(location).canonicalize().map_err(missing)?;
        if !path.starts_with(folder.canonicalize().map_err(missing)?) {
            return Err(wrong("a link that leads out of the model's own folder"));
        }
        match path.is_file() {
            true => Ok(path),
            false => Err(wrong("which is no file")),
        }
    }
}

/// How many bytes a tensor's shape has.
fn size(tensor: &TensorProto) -> Option<u64> {
    let (_, bits) = element(u64::try_from(tensor.data_type).ok()?)?;
    let dims = tensor.dims.iter().map(|&size| u64::try_from(size).ok());
    let count = dims.into_iter().try_fold(1u64, |product, size| product.checked_mul(size?))?;
    let bits = count.checked_mul(bits as u64).filter(|&bits| bits > 0 && bits.is_multiple_of(8))?;
    Some(bits / 8)
}
