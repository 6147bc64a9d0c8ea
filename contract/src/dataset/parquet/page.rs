//! Columns, their pages, and where these lie in a file.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use super::{
    super::Error,
    thrift::{Thrift, varint},
};

/// Of Parquet's `Type`, `ConvertedType`, `FieldRepetitionType` and `Encoding`.
const INT64: u32 = 2;
const DOUBLE: u32 = 5;
const BYTE_ARRAY: u32 = 6;
const UTF8: u32 = 0;
const OPTIONAL: u32 = 1;
const PLAIN: u32 = 0;
const RLE: u32 = 3;
/// More bytes than a page's header has.
const LONGEST_HEADER: u64 = 64;

/// What a column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bytes,
    Text,
    Int64,
    Double,
}

/// A column, and its values that are not yet in a page.
#[derive(Clone)]
pub(super) struct Column {
    pub kind: Kind,
    /// Its name, within that of the struct that it is in, if it is in one.
    path: Vec<String>,
    /// The values in the encoding PLAIN.
    values: Vec<u8>,
}

impl Column {
    pub fn new(path: &[&str], kind: Kind) -> Self {
        Self { kind, path: path.iter().map(|name| (*name).into()).collect(), values: Vec::new() }
    }

    /// Its name, without that of the struct that it is in.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    pub fn push(&mut self, value: [u8; 8]) {
        self.values.extend(value);
    }

    pub fn push_bytes(&mut self, value: &[u8]) {
        self.values.extend((value.len() as u32).to_le_bytes());
        self.values.extend(value);
    }

    /// The values so far, of so many rows, as a page with its header.
    pub fn take_page(&mut self, rows: usize) -> Vec<u8> {
        let levels = levels(rows, self.path.len() as u8);
        let size = (levels.len() + self.values.len()) as u32;
        let mut header = Thrift::default();
        // A page of data, and its size before and after compression.
        [0, size, size].iter().zip(1..).for_each(|(value, field)| header.i32(field, *value));
        header.begin_field(5);
        [rows as u32, PLAIN, RLE, RLE].iter().zip(1..).for_each(|(value, field)| header.i32(field, *value));
        header.end();
        let mut page = header.into_bytes();
        page.extend(levels);
        page.append(&mut self.values);
        page
    }

    fn physical(&self) -> u32 {
        match self.kind {
            Kind::Bytes | Kind::Text => BYTE_ARRAY,
            Kind::Int64 => INT64,
            Kind::Double => DOUBLE,
        }
    }

    /// A `SchemaElement`.
    fn schema(&self, thrift: &mut Thrift) {
        thrift.begin();
        thrift.i32(1, self.physical());
        thrift.i32(3, OPTIONAL);
        thrift.text(4, self.name());
        if self.kind == Kind::Text {
            thrift.i32(6, UTF8);
        }
        thrift.end();
    }
}

/// Definition levels, which say that none of the values is null: one run of `level`.
fn levels(rows: usize, level: u8) -> Vec<u8> {
    let mut run = Vec::new();
    varint(&mut run, (rows as u64) << 1);
    run.push(level);
    [&(run.len() as u32).to_le_bytes()[..], &run].concat()
}

/// The schema as a list of `SchemaElement`: the root, then each column, after the struct that it is in.
pub(super) fn schema(thrift: &mut Thrift, field: u8, columns: &[Column]) {
    let inside = columns.iter().filter(|column| column.path.len() > 1).count();
    // Only the first columns are in a struct, and all in one.
    let structs = usize::from(inside > 0);
    thrift.structs(field, 1 + structs + columns.len());
    let group = |thrift: &mut Thrift, name: &str, repetition: Option<u32>, children: usize| {
        thrift.begin();
        if let Some(repetition) = repetition {
            thrift.i32(3, repetition);
        }
        thrift.text(4, name);
        thrift.i32(5, children as u32);
        thrift.end();
    };
    group(thrift, "schema", None, columns.len() - inside + structs);
    if let Some(first) = columns.first().filter(|_| inside > 0) {
        group(thrift, &first.path[0], Some(OPTIONAL), inside);
    }
    columns.iter().for_each(|column| column.schema(thrift));
}

/// A group of rows in the file: a chunk for each column, which is one page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub rows: u64,
    /// Where it begins.
    pub begin: u64,
    /// Length of each chunk.
    pub chunks: Vec<u64>,
}

impl Group {
    /// A `RowGroup`.
    pub fn write(&self, thrift: &mut Thrift, columns: &[Column]) {
        let size = self.chunks.iter().sum();
        thrift.begin();
        thrift.structs(1, columns.len());
        let mut place = self.begin;
        for (column, &chunk) in columns.iter().zip(&self.chunks) {
            // A `ColumnChunk`, and its `ColumnMetaData`; codec 0 is none.
            thrift.begin();
            thrift.i64(2, place);
            thrift.begin_field(3);
            thrift.i32(1, column.physical());
            thrift.i32s(2, &[PLAIN, RLE]);
            thrift.texts(3, &column.path);
            thrift.i32(4, 0);
            thrift.i64(5, self.rows);
            thrift.i64(6, chunk);
            thrift.i64(7, chunk);
            thrift.i64(9, place);
            thrift.end();
            thrift.end();
            place += chunk;
        }
        thrift.i64(2, size);
        thrift.i64(3, self.rows);
        thrift.end();
    }
}

/// The groups in this range of a file that was written here, which are complete.
///
/// # Errors
/// [`Error::Refused`] if it has others.
pub(super) fn groups(path: &Path, range: Range<u64>, columns: usize) -> Result<Vec<Group>, Error> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut groups, mut place) = (Vec::new(), range.start);
    while place < range.end {
        let mut group = Group { rows: 0, begin: place, chunks: Vec::new() };
        for _ in 0..columns {
            let page = page(&mut file, place)?.filter(|(rows, size)| {
                (group.rows == 0 || *rows == group.rows)
                    && place.checked_add(*size).is_some_and(|end| end <= range.end)
            });
            let Some((rows, size)) = page else {
                return Err(Error::Refused(format!("{} has other pages than were written", path.display())));
            };
            group.rows = rows;
            group.chunks.push(size);
            place += size;
        }
        groups.push(group);
    }
    Ok(groups)
}

/// Rows of the page that begins there, and its length, header included, if it is one of ours.
fn page(file: &mut (impl Read + Seek), place: u64) -> io::Result<Option<(u64, u64)>> {
    file.seek(SeekFrom::Start(place))?;
    let mut header = Header { file: file.take(LONGEST_HEADER), length: 0 };
    let mut read = || -> io::Result<(u64, u64)> {
        header.expect(&[0x15, 0, 0x15])?;
        let size = header.number()?;
        header.expect(&[0x15])?;
        header.number()?;
        header.expect(&[0x2c, 0x15])?;
        let rows = header.number()?;
        header.expect(&[0x15, 0, 0x15, 6, 0x15, 6, 0, 0])?;
        Ok((rows, size + header.length))
    };
    match read() {
        Ok(page) => Ok(Some(page)),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A page's header as [`Column::take_page`] writes it.
struct Header<R> {
    file: R,
    length: u64,
}

impl<R: Read> Header<R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        self.length += 1;
        Ok(byte[0])
    }

    fn expect(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| match self.byte()? == *byte {
            true => Ok(()),
            false => Err(ErrorKind::InvalidData.into()),
        })
    }

    /// A number of 32 bits that is not below 0.
    fn number(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value >> 1);
            }
        }
        Err(ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_again() {
        let mut columns = [Column::new(&["a", "b"], Kind::Bytes), Column::new(&["c"], Kind::Int64)];
        let (mut file, mut expected) = (b"PAR1".to_vec(), Vec::new());
        for rows in [100, 3] {
            let mut group = Group { rows, begin: file.len() as u64, chunks: Vec::new() };
            for row in 0..rows {
                columns[0].push_bytes(&vec![7; row as usize * 3]);
                columns[1].push(row.to_le_bytes());
            }
            for column in &mut columns {
                let page = column.take_page(rows as usize);
                group.chunks.push(page.len() as u64);
                file.extend(page);
            }
            expected.push(group);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, &file).unwrap();
        let length = file.len() as u64;
        assert_eq!(groups(&path, 4..length, 2).unwrap(), expected);
        for (range, columns) in [(4..length - 1, 2), (5..length, 2), (4..length + 1, 2), (4..length, 3)] {
            assert!(matches!(groups(&path, range.clone(), columns), Err(Error::Refused(_))), "{range:?}");
        }
    }
}
