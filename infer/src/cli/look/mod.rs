//! The views of `infer look` and `export look`: drawn, written and reported.

mod view;

use std::{fmt, io, path::PathBuf};

use contract::{
    Contract, Picture, files,
    picture::{self, encode_gif},
    print,
};
use ndarray::{Array4, s};
use serde::Serialize;

pub use view::{Output, View};

use super::{JSON_OR_PICTURE, Source, check_inputs, check_output, check_pixels, seed, write_output};
use crate::{
    Error, Generator, ModelSource,
    look::{Frame, Plan, Space},
};

/// How long a frame of a GIF is shown, in hundredths of a second.
const DELAY: u16 = 8;

/// What was drawn.
#[derive(Debug, Serialize)]
pub struct Drawn {
    pub file: String,
    /// What it shows, in words.
    pub shows: String,
    pub seed: u64,
    pub images: usize,
    /// Frames of a GIF; 1 of a PNG.
    pub frames: usize,
    pub width: usize,
    pub height: usize,
    /// Which model drew it, and on what.
    #[serde(flatten)]
    pub source: Source,
    /// The picture, or the first frame.
    #[serde(skip)]
    picture: Picture,
    /// Whether the picture itself went to standard output, so that nothing else may.
    #[serde(skip)]
    to_stdout: bool,
}

impl View {
    /// Draws what is asked for, of this model, and writes the file.
    ///
    /// # Errors
    ///
    /// [`Error::BadOutput`], [`Error::BadInput`] and [`Error::UnknownClass`] for what can't be a picture
    /// of this model; those of loading, running and writing.
    pub fn draw(&self, source: &ModelSource<'_>) -> Result<Drawn, Error> {
        let output = self.output();
        let file: PathBuf = output.out.clone().unwrap_or_else(|| self.default_file().into());
        let to_stdout = files::is_stdout(&file);
        if to_stdout && output.running.json {
            return Err(Error::BadInput(JSON_OR_PICTURE.into()));
        }
        check_output(&file, self.extensions())?;
        check_inputs(&file, [("model", source.path()), ("library", output.running.runtime.as_deref())])?;
        let animated = self.is_animated(&file);
        let contract = source.contract()?;
        let seed = seed(output.seed);
        let plan = self.plan(&Space { contract: &contract, model: &source.name(), seed }, animated)?;
        let mut generator = Generator::load(source, &output.running.options(plan.images()))?;
        let labels = if contract.is_labelled() { plan.labels.as_slice() } else { &[] };
        let (_, _, height, width) = match generator.declared_shape() {
            Some([channels, height, width]) => (1, channels, height, width),
            None => {
                generator.of_latents(plan.z.slice(s![..1, ..]), labels.get(..1).unwrap_or_default())?.dim()
            }
        };
        let film = Film::new(self, &plan, animated, [width, height])?;
        let images = generator.of_latents(plan.z.view(), labels)?;
        let first = film.picture(&film.frames[0], &images);
        let encode = |sink: &mut dyn io::Write| film.encode(&images, &contract, seed, sink);
        match to_stdout {
            true => {
                let mut bytes = Vec::new();
                let written = encode(&mut bytes).and_then(|()| print(&bytes));
                written
                    .map_err(|error| Error::WriteFailed { path: file.clone(), reason: error.to_string() })?;
            }
            false => write_output(&file, encode)?,
        }
        let mut said = Source::new(source, &generator, &output.running);
        if output.captions {
            said.notes.extend(Picture::captions_note(plan.captions()));
        }
        Ok(Drawn {
            file: file.display().to_string(),
            shows: plan.shows.clone(),
            seed,
            images: plan.images(),
            frames: film.frames.len(),
            width: first.width(),
            height: first.height(),
            source: said,
            picture: first,
            to_stdout,
        })
    }

    /// Reports what was drawn, in the form that was asked for; nothing if standard output has the picture.
    ///
    /// # Errors
    ///
    /// If standard output can't be written.
    pub fn print(&self, drawn: &Drawn) -> io::Result<()> {
        let Output { running, preview, .. } = self.output();
        if drawn.to_stdout {
            return Ok(());
        }
        running.print(drawn, || format!("{}{drawn}", preview.of(&drawn.picture)))
    }
}

/// A view's images as one file: a picture, or frames that follow on each other.
pub struct Film<'a> {
    output: &'a Output,
    shows: &'a str,
    frames: Vec<Frame>,
    animated: bool,
}

impl<'a> Film<'a> {
    /// A plan of this view as one picture or `animated`. `width` and `height` are an image's, without its
    /// caption.
    ///
    /// # Errors
    ///
    /// [`Error::BadInput`] for what would fill the memory.
    pub fn new(
        view: &'a View,
        plan: &'a Plan,
        animated: bool,
        [width, height]: [usize; 2],
    ) -> Result<Self, Error> {
        let output = view.output();
        let frames = if animated { plan.frames() } else { vec![plan.sheet()] };
        let [columns, rows] = frames[0].cells();
        let side = |cells: usize, pixels: usize| cells.saturating_mul(pixels * output.scale);
        check_pixels([side(columns, width), side(rows, height)], frames.len())?;
        Ok(Self { output, shows: &plan.shows, frames, animated })
    }

    fn picture(&self, frame: &Frame, images: &Array4<u8>) -> Picture {
        frame.picture(images, self.output.captions).enlarged(self.output.scale)
    }

    /// Writes the file's bytes.
    ///
    /// # Shapes
    ///
    /// `images` is `(N, C, H, W)` for the plan's N latents.
    ///
    /// # Errors
    ///
    /// The sink's, or that the pictures are too large for their format.
    pub fn encode(
        &self,
        images: &Array4<u8>,
        contract: &Contract,
        seed: u64,
        mut sink: &mut dyn io::Write,
    ) -> io::Result<()> {
        let texts = [
            ("Software", format!("edgegan infer {}", env!("CARGO_PKG_VERSION"))),
            ("Model", format!("{} {}", contract.architecture, contract.dataset)),
            ("Seed", seed.to_string()),
            ("View", self.shows.into()),
        ];
        match self.animated {
            true => {
                let frames =
                    self.frames.iter().map(|frame| picture::Frame::new(&self.picture(frame, images), DELAY));
                encode_gif(&mut sink, frames, &texts)
            }
            false => self.picture(&self.frames[0], images).encode_png(&mut sink, &texts),
        }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, shows, seed, frames, width, height, source, .. } = self;
        let [shows, file] = [shows, file].map(|text| contract::printable(text));
        write!(f, "{shows}, seed {seed}: {file} ({width} × {height}")?;
        match frames {
            1 => writeln!(f, ")")?,
            _ => writeln!(f, ", {frames} frames)")?,
        }
        source.fmt(f)
    }
}
