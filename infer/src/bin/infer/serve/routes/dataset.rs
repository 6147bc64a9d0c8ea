//! `/dataset.npz` and MNIST's pair of files: what `infer dataset` writes, to the byte.
//!
//! IDX files are sent while they are drawn. An NPZ file begins with a checksum of all that follows, so it is
//! drawn into a temporary file first.

use std::{io, ops::Range, path::Path as FilePath, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use contract::{
    dataset::{
        Batch, Format, Manifest, idx, interleaved,
        plan::{Labels, Shard},
    },
    latent::latent_batch,
    number::large,
};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use infer::find_class;
use tempfile::TempDir;
use tokio::{fs::File, io::AsyncReadExt, sync::OwnedSemaphorePermit, task::block_in_place};

use super::{count, query::Query};
use crate::serve::{
    Server,
    answer::Refusal,
    batching::{Drawn, Failure, Order, Verify, Wanted},
    metrics::Kind,
    models::Model,
};

/// Images of a data set, at most: more are the command line's.
const MOST_IMAGES: u64 = 100_000;

/// Images that are drawn together: few, so that other requests get between them.
const PART: u64 = 16;

/// Bytes that are read at a time.
const BUFFER: usize = 64 << 10;

/// A data set that was asked for, and the right to draw it.
struct Dataset {
    model: Arc<Model>,
    count: u64,
    seed: u64,
    labels: Labels,
    threshold: Option<f64>,
    _permit: OwnedSemaphorePermit,
}

/// A part of it.
struct Part {
    images: Range<u64>,
    labels: Vec<i64>,
    drawn: Drawn,
}

impl Dataset {
    fn of(server: &Server, mut query: Query) -> Result<Self, Refusal> {
        let model = server.shelf.models().named(query.text("model")?.as_deref())?;
        let count = query.value("count", large::<1>)?.unwrap_or(1000);
        let seed = infer::cli::seed(query.value("seed", large::<0>)?);
        let label = query.text("label")?;
        let threshold = query.verify()?;
        query.end(&["model", "count", "seed", "label", "verify"])?;
        if count > MOST_IMAGES {
            return Err(Refusal::bad(format!(
                "count is {count}, and this server draws data sets of {MOST_IMAGES} images at most; `infer dataset` \
                 draws larger ones"
            )));
        }
        if threshold.is_some() {
            model.judge.clone().map_err(Refusal::bad)?;
        }
        if model.contract.classes.len() > 256 {
            let classes = model.contract.classes.len();
            return Err(Refusal::bad(format!("these files hold 256 classes, and the model has {classes}")));
        }
        let labels = match label {
            None => Labels::InTurn { classes: model.contract.classes.len() as u64 },
            Some(name) => Labels::All(find_class(&model.contract, "--label", &name, &model.name)?),
        };
        let permit = Arc::clone(&server.datasets).try_acquire_owned().map_err(|_| Refusal::full())?;
        Ok(Self { model, count, seed, labels, threshold, _permit: permit })
    }

    /// Its images, part by part, in order; some are drawn ahead.
    fn parts(self: Arc<Self>) -> impl Stream<Item = Result<Part, Failure>> + Send {
        let starts = (0..self.count).step_by(PART as usize);
        let workers = self.model.batcher.workers();
        stream::iter(starts)
            .map(move |start| {
                let dataset = Arc::clone(&self);
                async move { dataset.part(start..dataset.count.min(start + PART)).await }
            })
            .buffered(workers)
    }

    async fn part(&self, images: Range<u64>) -> Result<Part, Failure> {
        let contract = &self.model.contract;
        let indices: Vec<u64> = images.clone().collect();
        let labels: Vec<i64> = indices.iter().map(|index| self.labels.of(*index)).collect();
        let z = latent_batch(contract.latent_distribution, self.seed, &indices, contract.latent_dim);
        let order = Order {
            count: indices.len(),
            latents: z.into_raw_vec_and_offset().0,
            labels: self.model.labels(labels.clone()),
            wanted: Wanted { pixels: true, ..Wanted::default() },
            verify: self.threshold.map(|threshold| Verify { threshold, seed: self.seed, indices }),
        };
        let drawn = self.model.batcher.order(order).await?;
        Ok(Part { images, labels, drawn })
    }

    fn name(&self) -> &str {
        &self.model.name
    }
}

/// `GET /dataset/{train-images-idx3-ubyte, train-labels-idx1-ubyte}`
pub async fn idx(
    State(server): State<Arc<Server>>,
    Path(file): Path<String>,
    query: Query,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let dataset = Arc::new(Dataset::of(&server, query)?);
    let [channels, height, width] = dataset.model.shape;
    let images = if channels == 1 { "train-images-idx3-ubyte" } else { "train-images-idx4-ubyte" };
    let sent = if file == images {
        let mut dims = vec![height as u32, width as u32];
        dims.extend((channels > 1).then_some(channels as u32));
        let head = idx::header(dataset.count as u32, &dims);
        let length = head.len() as u64 + dataset.count * (channels * height * width) as u64;
        let pixels = Arc::clone(&dataset).parts().map_ok(move |part| {
            let images = part.drawn.pixels.chunks_exact(channels * height * width);
            Bytes::from(
                images.flat_map(|image| interleaved(image, channels).into_owned()).collect::<Vec<u8>>(),
            )
        });
        let head = stream::iter([Ok(Bytes::from(head))]);
        let body = head.chain(pixels.map_err(|failure: Failure| io::Error::other(failure.message)));
        download(Body::from_stream(body), length, &file)
    } else if file == "train-labels-idx1-ubyte" {
        let labels = (0..dataset.count).map(|index| dataset.labels.of(index) as u8);
        let bytes: Vec<u8> = idx::header(dataset.count as u32, &[]).into_iter().chain(labels).collect();
        let length = bytes.len() as u64;
        download(Body::from(bytes), length, &file)
    } else {
        return Err(Refusal::not_found(format!(
            "the files of a data set are {images} and train-labels-idx1-ubyte"
        )));
    };
    count(&server, dataset.name(), Kind::Dataset, started, StatusCode::OK.as_u16());
    Ok(sent)
}

/// `GET /dataset.npz`
pub async fn npz(State(server): State<Arc<Server>>, query: Query) -> Result<Response, Refusal> {
    let started = Instant::now();
    let dataset = Arc::new(Dataset::of(&server, query)?);
    let answer = write(&dataset).await;
    let status = answer.as_ref().map_or_else(|refusal| refusal.status, Response::status);
    count(&server, dataset.name(), Kind::Dataset, started, status.as_u16());
    answer
}

async fn write(dataset: &Arc<Dataset>) -> Result<Response, Refusal> {
    let failed = |error: io::Error| {
        Refusal::from(Failure::broken(format!("no temporary file can be written ({error})")))
    };
    let folder = tempfile::Builder::new().prefix("infer-").tempdir().map_err(failed)?;
    let path = folder.path().join("dataset.npz");
    let format: Format = "npz".parse().map_err(Failure::broken)?;
    let manifest = dataset.manifest(format);
    let opened = block_in_place(|| format.definition().open(&manifest, &path, dataset.model.shape));
    let mut sink = opened.map_err(|error| Failure::broken(error.to_string()))?;
    let mut parts = Box::pin(Arc::clone(dataset).parts());
    while let Some(Part { images, labels, drawn }) = parts.try_next().await? {
        let confidences: Vec<f64> = drawn.readings.iter().map(|reading| reading.confidence).collect();
        let batch = Batch {
            first: images.start,
            labels: &labels,
            pixels: &drawn.pixels,
            shape: dataset.model.shape,
            confidences: &confidences,
            strings: &[],
        };
        block_in_place(|| sink.append(&batch)).map_err(failed)?;
    }
    block_in_place(|| sink.checkpoint().and_then(|_| sink.finish())).map_err(failed)?;
    drop(sink);
    send(&path, folder).await.map_err(failed)
}

/// Sends a file, which is kept with its folder until the last byte is sent.
async fn send(path: &FilePath, folder: TempDir) -> io::Result<Response> {
    let file = File::open(path).await?;
    let length = file.metadata().await?.len();
    let bytes = stream::try_unfold((file, folder), |(mut file, folder)| async move {
        let mut piece = vec![0; BUFFER];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), (file, folder))))
    });
    Ok(download(Body::from_stream(bytes), length, "dataset.npz"))
}

fn download(body: Body, length: u64, name: &str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

impl Dataset {
    fn manifest(&self, format: Format) -> Manifest {
        let Model { about, contract, shape, .. } = &*self.model;
        Manifest {
            format,
            model: about.file.clone(),
            model_sha256: about.sha256.clone(),
            engine: about.engine.clone(),
            device: Some(about.device.clone()),
            seed: self.seed,
            count: self.count,
            test: 0,
            per_file: None,
            shard: Shard::WHOLE,
            first: 0,
            images: self.count,
            complete: 0,
            labels: self.labels.clone(),
            strings: None,
            noise: None,
            boxes: None,
            classes: contract.classes.clone(),
            verified: None,
            shape: Some(*shape),
            tail: Default::default(),
        }
    }
}
