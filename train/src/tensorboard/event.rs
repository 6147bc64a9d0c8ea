//! The messages of an event file, as far as they are written here.
//!
//! Source of the names and numbers: TensorBoard, `compat/proto/event.proto` and `summary.proto`.

use prost::{Enumeration, Message, Oneof};

/// One record of an event file.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// Iterations done.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// What it tells.
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub what: Option<What>,
}

/// What an event tells.
#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    /// [`FILE_VERSION`], the first event of a file.
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// Values of one step.
    #[prost(message, tag = "5")]
    Summary(Summary),
    /// Where the session stands.
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// From version 2 on, a reader drops earlier values at [`SessionStatus::Start`] alone.
pub const FILE_VERSION: &str = "brain.Event:2";

/// Where the session stands.
#[derive(Clone, PartialEq, Message)]
pub struct SessionLog {
    /// Only `Start` is written.
    #[prost(enumeration = "SessionStatus", tag = "1")]
    pub status: i32,
}

/// Of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
pub enum SessionStatus {
    /// Not said.
    Unspecified = 0,
    /// It begins with this event's step: what earlier sessions wrote from there on is void.
    Start = 1,
}

/// Values of one step.
#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    /// Each under its own tag.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// One value.
#[derive(Clone, PartialEq, Message)]
pub struct Value {
    /// Its name; what stands before a slash groups the charts.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The value itself.
    #[prost(oneof = "Datum", tags = "2, 4, 5")]
    pub datum: Option<Datum>,
}

/// A value of one kind.
#[derive(Clone, PartialEq, Oneof)]
pub enum Datum {
    /// A point of a curve.
    #[prost(float, tag = "2")]
    Scalar(f32),
    /// A picture.
    #[prost(message, tag = "4")]
    Image(Image),
    /// A distribution.
    #[prost(message, tag = "5")]
    Histogram(Histogram),
}

/// A picture.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// Pixels.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Pixels.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// A distribution.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// The smallest value.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// The largest value.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// How many values.
    #[prost(double, tag = "3")]
    pub num: f64,
    /// Of the values.
    #[prost(double, tag = "4")]
    pub sum: f64,
    /// Of their squares.
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// The upper end of each bucket, which isn't part of it.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// How many values each bucket holds.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}
