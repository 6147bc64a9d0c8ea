//! Data sets in several files of equally many images, each of them whole by itself: numbered in the whole
//! data set, so that a part has the very files of the whole.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{
    Batch, Error, Image, Manifest, Opened, Record, Sink, Strung, Tail,
    growing::Growing,
    images::picture,
    manifest::Part,
    plan::{Volume, Volumes},
};
use crate::files::{create_folders, folder_of};

/// Images of a file where nothing else is asked for.
pub(super) const PER_FILE: u64 = 10_000;

/// An image on its way into a file.
pub(super) struct Entry<'a> {
    pub index: u64,
    /// None in an unlabelled model.
    pub label: Option<i64>,
    /// The judge's, if there is one.
    pub confidence: Option<f64>,
    /// What it is, if it is a string.
    pub string: Option<&'a Strung>,
    pub png: &'a [u8],
}

/// A file that is being written.
pub(super) trait Member: Send {
    /// Takes an image.
    fn append(&mut self, image: &Entry<'_>) -> io::Result<()>;

    /// How many images the file has, without those that are gathered until there are enough of them.
    fn count(&self) -> u64;

    /// Writes what is gathered.
    fn flush(&mut self) -> io::Result<()>;

    /// Writes what ends the file after the images that it has.
    fn close(&mut self) -> io::Result<()>;

    /// The file.
    fn file(&mut self) -> &mut Growing;
}

/// A format of which each file is a [`Member`].
pub(super) trait Kind: Send + 'static {
    type Member: Member;

    /// A file's path in the data set's folder.
    fn name(volume: &Volume) -> String;

    /// Goes on with a file that has so many images, or begins it.
    fn open(&self, part: &Part<'_>, images: u64) -> Result<Self::Member, Error>;

    /// Writes what lies beside the files.
    fn accompany(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }
}

struct Series<K: Kind> {
    kind: K,
    folder: PathBuf,
    volumes: Volumes,
    /// The file that is being written, and its images.
    current: Option<(Volume, K::Member)>,
    /// Of the files that are whole.
    records: BTreeMap<String, Record>,
    /// Index of the next image.
    next: u64,
}

/// Opens a data set of this kind in a folder, as [`Definition::open`](super::Definition::open) does.
///
/// # Errors
/// As there.
pub(super) fn open<K: Kind>(kind: K, manifest: &Manifest, folder: &Path) -> Opened {
    let Some(volumes) = manifest.volumes() else {
        return Err(Error::Refused("the manifest does not say how many images a file has".into()));
    };
    let next = manifest.first + manifest.complete;
    let mut series =
        Series { kind, folder: folder.into(), volumes, current: None, records: BTreeMap::new(), next };
    for number in volumes.holding(manifest.first)..=volumes.holding(next) {
        let Some(volume) = volumes.get(number).filter(|volume| volume.images.start < next) else { break };
        series.check(volume, &manifest.tail)?;
    }
    Ok(Box::new(series))
}

impl<K: Kind> Series<K> {
    /// Checks a file that has images, and opens it if there are more to come.
    fn check(&mut self, volume: Volume, tail: &Tail) -> Result<(), Error> {
        let name = K::name(&volume);
        let path = self.folder.join(&name);
        let Some(record) = tail.files.get(&name) else {
            return Err(Error::Refused(format!("{} is not on record in its manifest", path.display())));
        };
        let complete = volume.images.end <= self.next;
        let part = Part { path: &path, header: &[], end: Some(record.to), record: Some(record), complete };
        match complete {
            true => {
                Growing::open(&part, |_| {})?;
                self.records.insert(name, record.clone());
            }
            false => {
                let member = self.kind.open(&part, self.next - volume.images.start)?;
                self.current = Some((volume, member));
            }
        }
        Ok(())
    }

    /// The file that the next image goes into.
    fn member(&mut self) -> io::Result<&mut (Volume, K::Member)> {
        if self.current.is_none() {
            let volume = self.volumes.get(self.volumes.holding(self.next));
            let volume = volume.filter(|volume| volume.images.contains(&self.next));
            let volume = volume.ok_or_else(|| io::Error::other("no file has this image"))?;
            let path = self.folder.join(K::name(&volume));
            create_folders(folder_of(&path))?;
            let part = Part { path: &path, header: &[], end: None, record: None, complete: false };
            let member = self.kind.open(&part, 0).map_err(|error| match error {
                Error::Io(error) => error,
                refused => io::Error::other(refused),
            })?;
            self.current = Some((volume, member));
        }
        self.current.as_mut().ok_or_else(|| io::Error::other("no file is open"))
    }
}

impl<K: Kind> Sink for Series<K> {
    fn append(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        for Image { index, label, confidence, string, pixels, shape } in batch.images() {
            let png = picture(&pixels, shape)?.to_quick_png()?;
            let (volume, member) = self.member()?;
            member.append(&Entry { index, label, confidence, string, png: &png })?;
            let is_last = index + 1 == volume.images.end;
            self.next = index + 1;
            if let Some((volume, mut member)) = self.current.take_if(|_| is_last) {
                member.flush()?;
                member.close()?;
                member.file().sync()?;
                self.records.extend(member.file().record().map(|record| (K::name(&volume), record)));
            }
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<Tail> {
        let mut tail = Tail { files: self.records.clone(), ..Tail::default() };
        // One without an image is begun again.
        if let Some((volume, member)) = self.current.as_mut().filter(|(_, member)| member.count() > 0) {
            member.file().sync()?;
            tail.offset = member.file().length();
            tail.add([(K::name(volume), member.file().record())]);
        }
        Ok(tail)
    }

    fn safe_up_to(&self) -> Option<u64> {
        Some(match &self.current {
            Some((volume, member)) => volume.images.start + member.count(),
            None => self.next,
        })
    }

    fn finish(&mut self) -> io::Result<Tail> {
        let tail = self.checkpoint()?;
        if let Some((_, mut member)) = self.current.take() {
            member.close()?;
            member.file().sync()?;
        }
        self.kind.accompany(&self.folder)?;
        Ok(tail)
    }
}
