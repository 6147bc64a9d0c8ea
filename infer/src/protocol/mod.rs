//! The messages of the Open Inference Protocol, version 2 (KServe's REST specification,
//! <https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol>), with Triton's
//! extension for binary tensors (`docs/protocol/extension_binary_data.md` of triton-inference-server/server).
//!
//! A request is read from its bytes by [`InferRequest::parse`], a pure function that never panics and holds a
//! bounded multiple of what it reads. A response is written by [`InferResponse`]. What a model makes of the
//! tensors is the server's business.
//!
//! ```
//! use infer::protocol::{DataType, InferRequest, InferResponse, OutputTensor, Values};
//!
//! let body = br#"{"id": "a", "inputs": [{"name": "label", "shape": [2], "datatype": "INT64", "data": [5, 0]}]}"#;
//! let request = InferRequest::parse(body, None)?;
//! assert_eq!(request.inputs[0].values, Values::Int64(vec![5, 0]));
//!
//! let mut response = InferResponse::new("mnist", "1", request.id);
//! response.add(OutputTensor { name: "read", shape: vec![2], values: Values::Int64(vec![5, 0]) }, false);
//! assert_eq!(response.finish().json_length, None);
//! # Ok::<(), infer::protocol::Malformed>(())
//! ```

mod request;
mod response;
mod tensor;

pub use request::{InferRequest, Malformed, RequestedOutput};
pub use response::{Encoded, InferResponse, OutputTensor};
pub use tensor::{DataType, InputTensor, Values};

/// The header that says how many bytes of a body are JSON; tensors in binary follow them.
pub const JSON_LENGTH_HEADER: &str = "inference-header-content-length";
