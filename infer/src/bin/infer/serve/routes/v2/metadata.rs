//! What the server and its models say of themselves, and whether they are ready.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Address, ask::Output};
use crate::serve::{
    Server,
    answer::{Refusal, json_body},
    models::{Model, VERSION},
};

/// `GET /v2`
pub async fn server() -> Response {
    json_body(&json!({
        "name": "edgegan infer",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data", "parameters"],
    }))
}

/// `GET /v2/health/live`
pub async fn live() -> StatusCode {
    StatusCode::OK
}

/// `GET /v2/health/ready`: not once the server is to end.
pub async fn ready(State(server): State<Arc<Server>>) -> Response {
    match server.draining.load(SeqCst) {
        false => StatusCode::OK.into_response(),
        true => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is about to end").into_response(),
    }
}

/// `GET /v2/models/{model}/ready`
pub async fn model_ready(
    State(server): State<Arc<Server>>,
    Path(address): Path<Address>,
) -> Result<StatusCode, Refusal> {
    address.find(&server).map(|_| StatusCode::OK)
}

/// `GET /v2/models/{model}`
pub async fn model(
    State(server): State<Arc<Server>>,
    Path(address): Path<Address>,
) -> Result<Response, Refusal> {
    Ok(json_body(&describe(&*address.find(&server)?)))
}

fn describe(model: &Model) -> Value {
    let Model { name, contract, shape: [c, h, w], judge, .. } = model;
    let mut inputs = vec![json!({"name": "z", "datatype": "FP32", "shape": [-1, contract.latent_dim]})];
    if contract.is_labelled() {
        inputs.push(json!({"name": "label", "datatype": "INT64", "shape": [-1]}));
    }
    let mut outputs = vec![json!({"name": Output::Image.name(), "datatype": "FP32", "shape": [-1, c, h, w]})];
    outputs.push(json!({"name": Output::Pixels.name(), "datatype": "UINT8", "shape": [-1, c, h, w]}));
    if judge.is_ok() {
        outputs.push(json!({"name": Output::Judged.name(), "datatype": "INT64", "shape": [-1]}));
        outputs.push(json!({"name": Output::Confidence.name(), "datatype": "FP32", "shape": [-1]}));
    }
    json!({
        "name": name,
        "versions": [VERSION],
        "platform": "onnx_onnxv1",
        "inputs": inputs,
        "outputs": outputs,
    })
}
