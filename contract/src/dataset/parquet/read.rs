//! Reading Parquet files of pictures and labels, those of `datasets` too: any pages and groups, plain or
//! compressed with Snappy.

use std::{panic::catch_unwind, path::Path};

use parquet::{
    errors::ParquetError,
    file::{metadata::ParquetMetaData, reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, Row},
    schema::types::Type,
};
use serde_json::Value;

use super::FEATURES;
use crate::{
    dataset::packed::{Encoded, Labels, Packed, open},
    printable,
};

/// What the columns are called unless the file says otherwise.
const IMAGE: &str = "image";
const LABEL: &str = "label";

/// The pictures and the labels of a file.
///
/// # Errors
/// One sentence, without the file's name, if the file can't be read or isn't such a file.
pub fn read(path: &Path) -> Result<Packed, String> {
    // The library asserts some of what a damaged file may break.
    catch_unwind(|| read_file(path))
        .unwrap_or_else(|_| Err("is damaged: its pages are not as its footer says".into()))
}

fn read_file(path: &Path) -> Result<Packed, String> {
    let none =
        |error: ParquetError| format!("can't be read as a Parquet file ({})", printable(&error.to_string()));
    let file = open(path)?;
    let length = file.metadata().map_err(|error| format!("can't be read: {error}"))?.len();
    let reader = SerializedFileReader::new(file).map_err(none)?;
    check(reader.metadata(), length)?;
    let meta = reader.metadata().file_metadata();
    let features = meta.key_value_metadata().into_iter().flatten().find(|entry| entry.key == FEATURES);
    let features = features.and_then(|entry| serde_json::from_str::<Value>(entry.value.as_deref()?).ok());
    let features =
        features.and_then(|value| value["info"]["features"].as_object().cloned()).unwrap_or_default();
    let named = |kind: &str, usual: &str| match features.iter().find(|(_, feature)| feature["_type"] == kind)
    {
        Some((name, _)) => name.clone(),
        None => usual.to_owned(),
    };
    let (image, label) = (named("Image", IMAGE), named("ClassLabel", LABEL));
    let fields = meta.schema().get_fields();
    if !fields.iter().any(|field| field.name() == image) {
        let found: Vec<_> = fields.iter().map(|field| printable(field.name())).collect();
        return Err(format!("has no column {} of pictures, but {}", printable(&image), found.join(", ")));
    }
    let wanted =
        fields.iter().filter(|field| field.name() == image || field.name() == label).cloned().collect();
    let wanted = Type::group_type_builder(meta.schema().name()).with_fields(wanted).build().map_err(none)?;

    let names: Vec<String> =
        serde_json::from_value(features.get(&label).map_or(Value::Null, |f| f["names"].clone()))
            .unwrap_or_default();
    let (mut pictures, mut labels) = (Vec::new(), Labels::named(&names));
    for row in reader.get_row_iter(Some(wanted)).map_err(none)? {
        let row = row.map_err(none)?;
        let index = pictures.len();
        let (mut picture, mut class) = (None, None);
        for (name, field) in row.get_column_iter() {
            match field {
                _ if *name == image => picture = encoded(field, index),
                Field::Null => {}
                field => {
                    class = Some(number(field).ok_or_else(|| {
                        format!(
                            "row {index} has a {} that is no whole number; expected a class's number",
                            printable(&label)
                        )
                    })?)
                }
            }
        }
        let picture = picture.ok_or_else(|| {
            format!(
                "row {index} has no picture; expected bytes, or a struct of bytes and path, in {}",
                printable(&image)
            )
        })?;
        pictures.push(picture);
        labels.push(index, class)?;
    }
    Ok((pictures, labels))
}

/// Refuses a file whose footer promises more than there is, for which the library would take memory.
fn check(meta: &ParquetMetaData, length: u64) -> Result<(), String> {
    let columns = meta.row_groups().iter().flat_map(|group| group.columns());
    for column in columns {
        let sizes = [column.data_page_offset(), column.compressed_size()];
        let end = sizes.iter().try_fold(0u64, |sum, &size| sum.checked_add(u64::try_from(size).ok()?));
        if end.is_none_or(|end| end > length) {
            return Err("is damaged: its footer names pages beyond its end".into());
        }
    }
    Ok(())
}

/// A picture as `datasets` keeps it, a struct of its bytes and its path, or its bytes alone.
fn encoded(field: &Field, index: usize) -> Option<Encoded> {
    let unnamed = || format!("row {index}");
    match field {
        Field::Bytes(bytes) => Some(Encoded { name: unnamed(), bytes: bytes.data().to_vec() }),
        Field::Group(row) => {
            let bytes = match column(row, "bytes")? {
                Field::Bytes(bytes) => bytes.data().to_vec(),
                _ => return None,
            };
            let name = match column(row, "path") {
                Some(Field::Str(name)) => printable(name).into_owned(),
                _ => unnamed(),
            };
            Some(Encoded { name, bytes })
        }
        _ => None,
    }
}

fn column<'a>(row: &'a Row, name: &str) -> Option<&'a Field> {
    row.get_column_iter().find(|(found, _)| *found == name).map(|(_, field)| field)
}

fn number(field: &Field) -> Option<i64> {
    Some(match *field {
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value,
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.try_into().ok()?,
        _ => return None,
    })
}
