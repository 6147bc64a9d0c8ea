//! What is counted, and how Prometheus reads it (text format 0.0.4).

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Of batches, in images.
const IMAGES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 4096.0];

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Infer,
    Picture,
    Dataset,
}

const KINDS: [(Kind, &str); 3] =
    [(Kind::Infer, "infer"), (Kind::Picture, "picture"), (Kind::Dataset, "dataset")];

/// Numbers by their size.
#[derive(Debug)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    /// One more than bounds, each without those below.
    counts: Vec<AtomicU64>,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Self { bounds, counts: (0..=N).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    fn add(&self, value: f64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(N);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Relaxed);
    }

    fn write(&self, text: &mut String, name: &str, labels: &str) {
        let mut below = 0;
        for (i, count) in self.counts.iter().enumerate() {
            below += count.load(Relaxed);
            let bound = self.bounds.get(i).map_or("+Inf".into(), f64::to_string);
            line(text, &format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), below);
        }
        line(text, &format!("{name}_sum"), labels, self.sum.load(Relaxed) as f64 / 1e6);
        line(text, &format!("{name}_count"), labels, below);
    }
}

/// What is counted of one model, for as long as the server runs.
#[derive(Debug)]
pub struct ModelMetrics {
    /// By kind: answered, refused (4xx), failed (5xx).
    requests: [[AtomicU64; 3]; 3],
    seconds: [Histogram<13>; 3],
    images: AtomicU64,
    batches: Histogram<10>,
    drawing: Histogram<13>,
}

const OUTCOMES: [&str; 3] = ["answered", "refused", "failed"];

impl ModelMetrics {
    pub fn new() -> Self {
        Self {
            requests: Default::default(),
            seconds: [0; 3].map(|_| Histogram::new(SECONDS)),
            images: AtomicU64::new(0),
            batches: Histogram::new(IMAGES),
            drawing: Histogram::new(SECONDS),
        }
    }

    /// A batch was drawn.
    pub fn drawn(&self, images: usize, took: Duration) {
        self.images.fetch_add(images as u64, Relaxed);
        self.batches.add(images as f64);
        self.drawing.add(took.as_secs_f64());
    }

    /// A request was answered with this status.
    pub fn answered(&self, kind: Kind, status: u16, took: Duration) {
        let outcome = match status {
            ..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        self.requests[kind as usize][outcome].fetch_add(1, Relaxed);
        self.seconds[kind as usize].add(took.as_secs_f64());
    }
}

/// What is known of a model at the moment.
pub struct Moment<'a> {
    pub name: &'a str,
    pub metrics: &'a ModelMetrics,
    pub images_under_way: usize,
    pub orders_waiting: usize,
}

/// What is counted of the server.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    pub connections: AtomicU64,
    pub connections_open: AtomicU64,
    pub responses: AtomicU64,
    pub full: AtomicU64,
    pub reloads: AtomicU64,
    pub failed_reloads: AtomicU64,
    pub lost_log_lines: AtomicU64,
}

impl Metrics {
    pub fn new() -> Self {
        let [connections, connections_open, responses, full, reloads, failed_reloads, lost_log_lines] =
            [0; 7].map(AtomicU64::new);
        Self {
            started: Instant::now(),
            connections,
            connections_open,
            responses,
            full,
            reloads,
            failed_reloads,
            lost_log_lines,
        }
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self, models: &[Moment<'_>]) -> String {
        let mut text = String::new();
        let up = self.started.elapsed().as_secs_f64();
        for (name, kind, help, value) in [
            ("up_seconds", "gauge", "How long the server has run.", up),
            ("connections_total", "counter", "Connections that were accepted.", count(&self.connections)),
            ("connections_open", "gauge", "Connections that are open.", count(&self.connections_open)),
            ("responses_total", "counter", "Responses of all routes.", count(&self.responses)),
            (
                "full_total",
                "counter",
                "Requests answered with 503, as too much was under way.",
                count(&self.full),
            ),
            ("reloads_total", "counter", "Times that SIGHUP read the models anew.", count(&self.reloads)),
            (
                "failed_reloads_total",
                "counter",
                "Times that it kept the old models, as the new ones are broken.",
                count(&self.failed_reloads),
            ),
            (
                "lost_log_lines_total",
                "counter",
                "Lines of the access log that were left out, as its disk was too slow.",
                count(&self.lost_log_lines),
            ),
        ] {
            head(&mut text, name, kind, help);
            line(&mut text, name, "", value);
        }
        head(&mut text, "requests_total", "counter", "Requests to a model, by kind and outcome.");
        for Moment { name, metrics, .. } in models {
            for ((_, kind), counts) in KINDS.iter().zip(&metrics.requests) {
                for (outcome, counted) in OUTCOMES.iter().zip(counts) {
                    let labels = format!("{},kind=\"{kind}\",outcome=\"{outcome}\"", model(name));
                    line(&mut text, "requests_total", &labels, counted.load(Relaxed));
                }
            }
        }
        head(&mut text, "request_seconds", "histogram", "Time from a request's head to its answer's.");
        for Moment { name, metrics, .. } in models {
            for ((_, kind), seconds) in KINDS.iter().zip(&metrics.seconds) {
                seconds.write(&mut text, "request_seconds", &format!("{},kind=\"{kind}\"", model(name)));
            }
        }
        head(&mut text, "images_total", "counter", "Images that were drawn in batches.");
        for Moment { name, metrics, .. } in models {
            line(&mut text, "images_total", &model(name), metrics.images.load(Relaxed));
        }
        head(&mut text, "batch_images", "histogram", "Images of a batch.");
        for Moment { name, metrics, .. } in models {
            metrics.batches.write(&mut text, "batch_images", &model(name));
        }
        head(&mut text, "batch_seconds", "histogram", "Time that a batch takes.");
        for Moment { name, metrics, .. } in models {
            metrics.drawing.write(&mut text, "batch_seconds", &model(name));
        }
        head(&mut text, "queue_images", "gauge", "Images of requests that are under way.");
        for Moment { name, images_under_way, .. } in models {
            line(&mut text, "queue_images", &model(name), images_under_way);
        }
        head(&mut text, "queue_orders", "gauge", "Parts of requests that wait for a batch.");
        for Moment { name, orders_waiting, .. } in models {
            line(&mut text, "queue_orders", &model(name), orders_waiting);
        }
        text
    }
}

fn count(counter: &AtomicU64) -> f64 {
    counter.load(Relaxed) as f64
}

fn model(name: &str) -> String {
    // As Prometheus escapes a label's value.
    let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("model=\"{name}\"")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing into a string can't fail, here and below.
    let _ = write!(text, "# HELP infer_{name} {help}\n# TYPE infer_{name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(text, "infer_{name} {value}"),
        labels => writeln!(text, "infer_{name}{{{labels}}} {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_what_is_below_them() {
        let metrics = ModelMetrics::new();
        metrics.drawn(3, Duration::from_millis(7));
        metrics.drawn(32, Duration::from_secs(20));
        metrics.answered(Kind::Picture, 200, Duration::from_millis(1));
        metrics.answered(Kind::Infer, 503, Duration::ZERO);
        let moment = Moment { name: "a\"b", metrics: &metrics, images_under_way: 5, orders_waiting: 2 };
        let text = Metrics::new().text(&[moment]);
        for line in [
            "infer_images_total{model=\"a\\\"b\"} 35",
            "infer_batch_images_bucket{model=\"a\\\"b\",le=\"2\"} 0",
            "infer_batch_images_bucket{model=\"a\\\"b\",le=\"4\"} 1",
            "infer_batch_images_bucket{model=\"a\\\"b\",le=\"+Inf\"} 2",
            "infer_batch_images_sum{model=\"a\\\"b\"} 35",
            "infer_batch_seconds_bucket{model=\"a\\\"b\",le=\"10\"} 1",
            "infer_requests_total{model=\"a\\\"b\",kind=\"infer\",outcome=\"failed\"} 1",
            "infer_requests_total{model=\"a\\\"b\",kind=\"picture\",outcome=\"answered\"} 1",
            "infer_queue_images{model=\"a\\\"b\"} 5",
            "# TYPE infer_batch_seconds histogram",
        ] {
            assert!(text.lines().any(|found| found == line), "expected {line:?} in {text}");
        }
    }
}
