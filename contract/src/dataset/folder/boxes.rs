//! Where the characters of strings are, as detectors are trained with it: COCO's JSON (cocodataset.org, format of
//! object detection) or YOLO's lines, both made of the table once its images are written.

use std::{
    fmt, fs,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{super::plan::Labels, picture_path};
use crate::{
    files::{self, sync_all},
    strings::Strings,
};

/// COCO's file.
pub(super) const ANNOTATIONS: &str = "annotations.json";
/// YOLO's: what the data set is, and the folder with a file for each picture.
pub(super) const YAML: &str = "data.yaml";
const LINES: &str = "labels";

/// What boxes are written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boxes {
    /// One file, `annotations.json`. A category is its label and 1, as 0 is the background to many trainers.
    #[default]
    Coco,
    /// `labels/000000000.txt` and so on, and `data.yaml`.
    Yolo,
}

impl FromStr for Boxes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "coco" => Ok(Self::Coco),
            "yolo" => Ok(Self::Yolo),
            _ => Err("expected coco or yolo".into()),
        }
    }
}

impl fmt::Display for Boxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coco => "coco",
            Self::Yolo => "yolo",
        })
    }
}

/// The strings of a folder, and what their characters are.
pub(super) struct Annotated {
    pub boxes: Boxes,
    pub strings: Strings,
    pub labels: Labels,
    pub classes: Vec<String>,
    pub seed: u64,
    /// Index of the first.
    pub first: u64,
}

/// A row of the table, and what its string is.
struct Row {
    index: u64,
    labels: Vec<i64>,
    width: usize,
    height: usize,
    /// Column, row, width and height of each character.
    boxes: Vec<[usize; 4]>,
}

/// What the table has of a picture's size and boxes, its last three fields.
pub(super) fn fields(width: usize, height: usize, boxes: &[[usize; 4]]) -> String {
    let boxes: Vec<String> = boxes.iter().map(|sides| sides.map(|side| side.to_string()).join(" ")).collect();
    format!("{width},{height},{}", boxes.join(";"))
}

impl Annotated {
    /// Writes the boxes of those whose rows are the table's first `end` bytes.
    pub fn write(&self, root: &Path, table: &Path, end: u64) -> io::Result<()> {
        match self.boxes {
            Boxes::Coco => self.write_coco(root, table, end),
            Boxes::Yolo => self.write_yolo(root, table, end),
        }
    }

    fn rows(&self, table: &Path, end: u64) -> io::Result<impl Iterator<Item = io::Result<Row>> + use<'_>> {
        let lines = BufReader::new(File::open(table)?.take(end)).lines().skip(1);
        Ok(lines.zip(self.first..).map(|(line, index)| {
            let row = self.row(&line?, index);
            row.ok_or_else(|| io::Error::other(format!("the row of image {index} in the table was changed")))
        }))
    }

    fn row(&self, line: &str, index: u64) -> Option<Row> {
        let mut fields = line.rsplitn(4, ',');
        let (boxes, height, width) = (fields.next()?, fields.next()?, fields.next()?);
        let sides = |text: &str| -> Option<[usize; 4]> {
            let sides: Vec<usize> = text.split(' ').map(|side| side.parse().ok()).collect::<Option<_>>()?;
            sides.try_into().ok()
        };
        let boxes = boxes.split(';').map(sides).collect::<Option<Vec<_>>>()?;
        let labels = self.strings.text(self.seed, index, &self.labels);
        let row = Row { index, labels, width: width.parse().ok()?, height: height.parse().ok()?, boxes };
        Some(row).filter(|row| row.labels.len() == row.boxes.len())
    }

    fn write_coco(&self, root: &Path, table: &Path, end: u64) -> io::Result<()> {
        let written = files::write(&root.join(ANNOTATIONS), |mut file| {
            let mut comma = Comma::default();
            file.write_all(b"{\"images\": [")?;
            for row in self.rows(table, end)? {
                let Row { index, width, height, .. } = row?;
                let name = picture_path(index);
                comma.write(
                    &mut file,
                    &json!({"id": index, "file_name": name, "width": width, "height": height}),
                )?;
            }
            file.write_all(b"],\n\"annotations\": [")?;
            comma = Comma::default();
            for row in self.rows(table, end)? {
                let Row { index, labels, boxes, .. } = row?;
                for ((label, bounds), character) in labels.iter().zip(boxes).zip(1..) {
                    let [_, _, width, height] = bounds;
                    // From 1 on: the reader that comes with COCO takes 0 for none.
                    let id = index * self.strings.length.most + character;
                    let annotation = json!({
                        "id": id, "image_id": index, "category_id": label + 1, "bbox": bounds,
                        "area": width * height, "iscrowd": 0,
                    });
                    comma.write(&mut file, &annotation)?;
                }
            }
            file.write_all(b"],\n\"categories\": [")?;
            comma = Comma::default();
            for (name, id) in self.classes.iter().zip(1..) {
                comma.write(&mut file, &json!({"id": id, "name": name, "supercategory": "character"}))?;
            }
            file.write_all(b"]}\n")
        });
        written.map_err(|error| error.source)
    }

    fn write_yolo(&self, root: &Path, table: &Path, end: u64) -> io::Result<()> {
        files::create_folders(&root.join(LINES))?;
        let path = |index: u64| -> PathBuf { Path::new(LINES).join(format!("{index:09}.txt")) };
        let mut next = self.first;
        for row in self.rows(table, end)? {
            let Row { index, labels, width, height, boxes } = row?;
            let mut lines = String::new();
            for (label, [x, y, w, h]) in labels.iter().zip(boxes) {
                // Middle and size, as parts of the picture's.
                let part = |twice: usize, of: usize| twice as f64 / (2 * of) as f64;
                let [across, down] = [part(2 * x + w, width), part(2 * y + h, height)];
                let [wide, tall] = [part(2 * w, width), part(2 * h, height)];
                lines += &format!("{label} {across:.6} {down:.6} {wide:.6} {tall:.6}\n");
            }
            fs::write(root.join(path(index)), lines)?;
            next = index + 1;
        }
        sync_all(root, (self.first..next).map(path).map(|path| root.join(path)))?;
        let written = files::write(&root.join(YAML), |file| {
            file.write_all(b"# All pictures are to learn from; name others to validate with.\n")?;
            file.write_all(b"train: images\nval: images\nnames:\n")?;
            for (label, name) in self.classes.iter().enumerate() {
                writeln!(file, "  {label}: {}", json!(name))?;
            }
            Ok(())
        });
        written.map_err(|error| error.source)
    }
}

/// Items of a JSON array, one a line.
#[derive(Default)]
struct Comma {
    is_needed: bool,
}

impl Comma {
    fn write(&mut self, mut file: impl Write, item: &serde_json::Value) -> io::Result<()> {
        file.write_all(if self.is_needed { b",\n" } else { b"\n" })?;
        self.is_needed = true;
        serde_json::to_writer(&mut file, item)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strings::Length;

    #[test]
    fn boxes_are_read_from_the_table_and_written_as_detectors_take_them() {
        let root = tempfile::tempdir().unwrap();
        let (seed, first, length) = (3, 5, Length { least: 1, most: 2 });
        let labels = Labels::InTurn { classes: 2 };
        let classes = vec![",".to_owned(), "\"".to_owned()];
        let strings = Strings::new(length);
        let mut table = String::from("file,text,index,width,height,boxes\n");
        let mut expected = Vec::new();
        for index in first..first + 3 {
            let text = strings.text(seed, index, &labels);
            let boxes: Vec<[usize; 4]> = (0..text.len()).map(|j| [1 + 10 * j, 2, 5, 6]).collect();
            table += &format!("images/{index:09}.png,\"a,\"\"\",{index},{}\n", fields(20, 10, &boxes));
            for (j, label) in text.iter().enumerate() {
                expected.push((index, index * 2 + 1 + j as u64, label + 1, boxes[j]));
            }
        }
        let path = root.path().join("labels.csv");
        let whole = table.len() as u64;
        fs::write(&path, table + "cut of").unwrap();
        let mut annotated = Annotated { boxes: Boxes::Coco, strings, labels, classes, seed, first };
        annotated.write(root.path(), &path, whole).unwrap();
        let coco = fs::read(root.path().join(ANNOTATIONS)).unwrap();
        let coco: serde_json::Value = serde_json::from_slice(&coco).unwrap();
        assert_eq!(
            coco["images"][2],
            json!({"id": 7, "file_name": "images/000000007.png", "width": 20, "height": 10})
        );
        assert_eq!(coco["categories"][1], json!({"id": 2, "name": "\"", "supercategory": "character"}));
        let found = coco["annotations"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, (image, id, category, bounds)) in found.iter().zip(&expected) {
            assert_eq!(found["image_id"], *image);
            assert_eq!((&found["id"], &found["category_id"]), (&json!(id), &json!(category)));
            assert_eq!((&found["bbox"], &found["area"]), (&json!(bounds), &json!(30)));
        }
        annotated.boxes = Boxes::Yolo;
        annotated.write(root.path(), &path, whole).unwrap();
        let lines = fs::read_to_string(root.path().join("labels/000000005.txt")).unwrap();
        let label = expected[0].2 - 1;
        assert!(lines.starts_with(&format!("{label} 0.175000 0.500000 0.250000 0.600000\n")), "{lines}");
        assert!(
            fs::read_to_string(root.path().join(YAML))
                .unwrap()
                .ends_with("names:\n  0: \",\"\n  1: \"\\\"\"\n")
        );
        fs::write(&path, "file\nnone,1,2,3").unwrap();
        let error = annotated.write(root.path(), &path, 100).unwrap_err().to_string();
        assert!(error.contains("the row of image 5"), "{error}");
    }
}
