//! What a request asks of a model. With `z` it is the plain network; with labels alone, the images of a seed.

use contract::{Contract, latent::latent_batch};
use infer::{
    Error,
    protocol::{InferRequest, InputTensor, RequestedOutput, Values},
};
use serde_json::{Map, Value};

use crate::serve::{
    answer::Refusal,
    batching::{Order, Verify, Wanted},
    models::Model,
};

/// What can be returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The network's own output.
    Image,
    /// Its 8 bits, as every file of pictures has them.
    Pixels,
    /// What the judge reads each image as.
    Judged,
    /// How sure it is.
    Confidence,
}

impl Output {
    const ALL: [Self; 4] = [Self::Image, Self::Pixels, Self::Judged, Self::Confidence];

    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Pixels => "pixels",
            Self::Judged => "judged",
            Self::Confidence => "confidence",
        }
    }

    fn is_judges(self) -> bool {
        matches!(self, Self::Judged | Self::Confidence)
    }
}

/// What has to be known of a model to read a request to it.
pub struct Facts<'a> {
    pub name: &'a str,
    pub contract: &'a Contract,
    /// Why it has no judge.
    pub no_judge: Option<&'a str>,
    /// Images that a request may have.
    pub most_images: usize,
}

impl Model {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            name: &self.name,
            contract: &self.contract,
            no_judge: self.judge.as_ref().err().map(String::as_str),
            most_images: self.batcher.most_images(),
        }
    }
}

/// A request, understood.
#[derive(Debug, PartialEq)]
pub struct Asked {
    pub id: Option<String>,
    pub order: Order,
    /// Of images of a seed: it, and the index of the first.
    pub seed: Option<(u64, u64)>,
    /// What is returned, and whether in binary.
    pub outputs: Vec<(Output, bool)>,
}

/// What clients of other servers send with every request, and what says nothing here.
const OF_OTHERS: [&str; 7] =
    ["binary_data_output", "priority", "sequence_end", "sequence_id", "sequence_start", "timeout", "headers"];

/// What a request may say beside its tensors.
#[derive(Debug, Default, PartialEq)]
struct Parameters {
    seed: Option<u64>,
    index: Option<u64>,
    count: Option<u64>,
    verify: Option<f64>,
}

impl Parameters {
    fn read(given: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut read = Self::default();
        for (name, value) in given {
            match name.as_str() {
                "seed" => read.seed = Some(whole(name, value)?),
                "index" => read.index = Some(whole(name, value)?),
                "count" => read.count = Some(whole(name, value)?),
                "verify" => read.verify = threshold(value)?,
                other if OF_OTHERS.contains(&other) => {}
                other => {
                    let other = contract::visible(other);
                    return Err(Refusal::bad(format!(
                        "parameter {other} is not known here; expected seed, index, verify or count"
                    )));
                }
            }
        }
        Ok(read)
    }
}

/// A whole number, or the digits of one as text, which languages need whose numbers are all float64.
fn whole(name: &str, value: &Value) -> Result<u64, Refusal> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| {
        Refusal::bad(format!("parameter {name} is {value}, expected a whole number from 0 to {}", u64::MAX))
    })
}

fn threshold(value: &Value) -> Result<Option<f64>, Refusal> {
    let number = match value {
        Value::Bool(verify) => return Ok(verify.then_some(0.5)),
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    match number.filter(|threshold| (0.0..=1.0).contains(threshold)) {
        Some(threshold) => Ok(Some(threshold)),
        None => Err(Refusal::bad(format!(
            "parameter verify is {value}, expected true, false or a number from 0 to 1"
        ))),
    }
}

impl Asked {
    /// Understands a request.
    ///
    /// # Errors
    ///
    /// Status 400 and a sentence about the first thing that this model doesn't take.
    pub fn of(request: InferRequest, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { name, contract, .. } = *facts;
        let parameters = Parameters::read(&request.parameters)?;
        let known = if contract.is_labelled() { &["z", "label"][..] } else { &["z"] };
        if let Some(InputTensor { name: other, .. }) =
            request.inputs.iter().find(|tensor| !known.contains(&tensor.name.as_str()))
        {
            let (other, known) = (contract::visible(other), known.join(" and "));
            return Err(Refusal::bad(format!("model {name} has no input {other}; it takes {known}")));
        }
        let z = request.input("z").map(|tensor| latents(tensor, facts)).transpose()?;
        let labels = request.input("label").map(|tensor| labels(tensor, facts)).transpose()?;
        let outputs = outputs(&request, facts, parameters.verify.is_some())?;
        let mut order = Order {
            wanted: Wanted {
                values: outputs.iter().any(|(output, _)| *output == Output::Image),
                pixels: outputs.iter().any(|(output, _)| *output == Output::Pixels),
                readings: outputs.iter().any(|(output, _)| output.is_judges()),
            },
            ..Order::default()
        };
        let seed = match (z, labels) {
            (Some(z), labels) => {
                let given = [
                    ("seed", parameters.seed.is_some()),
                    ("index", parameters.index.is_some()),
                    ("count", parameters.count.is_some()),
                    ("verify", parameters.verify.is_some()),
                ];
                if let Some((parameter, _)) = given.iter().find(|(_, given)| *given) {
                    return Err(Refusal::bad(format!(
                        "parameter {parameter} is about the latents of a seed, and input z has others; leave one out"
                    )));
                }
                order.count = z.len() / contract.latent_dim;
                match labels {
                    None if contract.is_labelled() => {
                        return Err(Refusal::bad(format!(
                            "input label is missing: model {name} takes z and label"
                        )));
                    }
                    labels => order.labels = labels.unwrap_or_default(),
                }
                if contract.is_labelled() && order.labels.len() != order.count {
                    return Err(Refusal::bad(format!(
                        "input z has {} rows and input label {} numbers; expected as many",
                        order.count,
                        order.labels.len()
                    )));
                }
                order.latents = z;
                None
            }
            (None, labels) => Some(of_seed(&mut order, labels, &parameters, facts)?),
        };
        match order.count {
            0 => Err(Refusal::bad("there is no image in this request; expected at least one")),
            count if count > facts.most_images => {
                let most = facts.most_images;
                Err(Refusal::bad(format!(
                    "{count} images are more than the {most} that a request may have here"
                )))
            }
            _ => Ok(Self { id: request.id, order, seed, outputs }),
        }
    }
}

/// The images of a seed: as many as there are labels.
fn of_seed(
    order: &mut Order,
    labels: Option<Vec<i64>>,
    parameters: &Parameters,
    facts: &Facts<'_>,
) -> Result<(u64, u64), Refusal> {
    let Facts { name, contract, .. } = *facts;
    order.count = match (labels, parameters.count) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad("there are as many images as labels; leave parameter count out"));
        }
        (Some(labels), None) => {
            order.labels = labels;
            order.labels.len()
        }
        (None, _) if contract.is_labelled() => {
            return Err(Refusal::bad(format!(
                "there is neither input z nor input label: model {name} takes both, or label"
            )));
        }
        // A count beyond what fits is refused with the others that are too large.
        (None, count) => usize::try_from(count.unwrap_or(1)).unwrap_or(usize::MAX),
    };
    let seed = infer::cli::seed(parameters.seed);
    let index = parameters.index.unwrap_or_default();
    if order.count > facts.most_images {
        return Ok((seed, index));
    }
    let Some(end) = index.checked_add(order.count as u64) else {
        return Err(Refusal::bad(format!(
            "{} images from index {index} on are more than {}",
            order.count,
            u64::MAX
        )));
    };
    let indices: Vec<u64> = (index..end).collect();
    let z = latent_batch(contract.latent_distribution, seed, &indices, contract.latent_dim);
    order.latents = z.into_raw_vec_and_offset().0;
    order.verify = match parameters.verify {
        None => None,
        Some(_) if facts.no_judge.is_some() => {
            return Err(Refusal::bad(facts.no_judge.unwrap_or_default()));
        }
        Some(threshold) => Some(Verify { threshold, seed, indices }),
    };
    Ok((seed, index))
}

/// The numbers of `z`, `(N, latent_dim)`.
fn latents(tensor: &InputTensor, facts: &Facts<'_>) -> Result<Vec<f32>, Refusal> {
    let (name, dim) = (facts.name, facts.contract.latent_dim);
    let Values::Float32(values) = &tensor.values else {
        let kind = tensor.values.data_type();
        return Err(Refusal::bad(format!("input z has datatype {kind}, but model {name} takes FP32")));
    };
    match tensor.shape[..] {
        [_, latents] if latents == dim => Ok(values.clone()),
        _ => Err(Refusal::bad(format!(
            "input z has shape {:?}, but model {name} takes [-1, {dim}]",
            tensor.shape
        ))),
    }
}

/// The numbers of `label`, `(N)`.
fn labels(tensor: &InputTensor, facts: &Facts<'_>) -> Result<Vec<i64>, Refusal> {
    let name = facts.name;
    let Values::Int64(labels) = &tensor.values else {
        let kind = tensor.values.data_type();
        return Err(Refusal::bad(format!("input label has datatype {kind}, but model {name} takes INT64")));
    };
    if tensor.shape.len() != 1 {
        return Err(Refusal::bad(format!(
            "input label has shape {:?}, but model {name} takes [-1]",
            tensor.shape
        )));
    }
    match labels.iter().find(|label| !(0..facts.contract.classes.len() as i64).contains(label)) {
        None => Ok(labels.clone()),
        Some(label) => Err(Error::UnknownClass {
            asked: format!("label {label}"),
            model: name.into(),
            classes: facts.contract.describe_classes(),
            nearest: None,
        }
        .into()),
    }
}

/// What is to be returned: what is named, or the network's output, and what a judge says if one is asked.
fn outputs(
    request: &InferRequest,
    facts: &Facts<'_>,
    is_verified: bool,
) -> Result<Vec<(Output, bool)>, Refusal> {
    if request.outputs.is_empty() {
        let outputs = Output::ALL.into_iter().filter(|output| match output {
            Output::Image => true,
            Output::Pixels => false,
            Output::Judged | Output::Confidence => is_verified,
        });
        return Ok(outputs.map(|output| (output, request.binary_outputs)).collect());
    }
    let mut outputs: Vec<(Output, bool)> = Vec::new();
    for RequestedOutput { name, binary } in &request.outputs {
        let Some(output) = Output::ALL.into_iter().find(|output| output.name() == name) else {
            let (other, known) = (contract::visible(name), Output::ALL.map(Output::name).join(", "));
            return Err(Refusal::bad(format!("model {} has no output {other}; it has {known}", facts.name)));
        };
        if let Some(why) = facts.no_judge.filter(|_| output.is_judges()) {
            return Err(Refusal::bad(format!("output {name} is a judge's, and there is none: {why}")));
        }
        if outputs.iter().any(|(other, _)| *other == output) {
            return Err(Refusal::bad(format!("output {name} is asked for twice")));
        }
        outputs.push((output, *binary));
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use contract::{LatentDistribution, PixelRange};
    use serde_json::json;

    use super::*;

    fn ask(body: Value, classes: usize) -> Result<Asked, Refusal> {
        let contract = Contract {
            architecture: "tiny".into(),
            dataset: "digits".into(),
            classes: (0..classes).map(|class| class.to_string()).collect(),
            latent_dim: 2,
            latent_distribution: LatentDistribution::Uniform,
            pixel_range: PixelRange::ZeroToOne,
            training: Default::default(),
            quality: Default::default(),
            golden: None,
        };
        let no_judge = (classes == 0).then_some("draws pictures without a class");
        let facts = Facts { name: "tiny", contract: &contract, no_judge, most_images: 4 };
        Asked::of(InferRequest::parse(body.to_string().as_bytes(), None).unwrap(), &facts)
    }

    fn label(labels: &[i64]) -> Value {
        json!({"name": "label", "shape": [labels.len()], "datatype": "INT64", "data": labels})
    }

    fn z(rows: usize) -> Value {
        json!({"name": "z", "shape": [rows, 2], "datatype": "FP32", "data": vec![0.5; rows * 2]})
    }

    #[test]
    fn labels_alone_are_images_of_a_seed() {
        let body = json!({"id": "a", "inputs": [label(&[3, 0])], "parameters": {"seed": "7", "index": 5, "verify": 0.9}});
        let asked = ask(body, 10).unwrap();
        assert_eq!((asked.id.as_deref(), asked.seed), (Some("a"), Some((7, 5))));
        assert_eq!((asked.order.count, asked.order.labels.as_slice()), (2, &[3, 0][..]));
        let z = latent_batch(LatentDistribution::Uniform, 7, &[5, 6], 2);
        assert_eq!(asked.order.latents, z.into_raw_vec_and_offset().0);
        assert_eq!(asked.order.verify, Some(Verify { threshold: 0.9, seed: 7, indices: vec![5, 6] }));
        assert_eq!(
            asked.outputs.iter().map(|(output, _)| output.name()).collect::<Vec<_>>(),
            ["image", "judged", "confidence"]
        );
        // Another seed each time.
        let seed = || ask(json!({"inputs": [label(&[3])]}), 10).unwrap().seed;
        assert!(seed() != seed() || seed() != seed());
        let unlabelled = ask(json!({"parameters": {"count": 3, "seed": 1}}), 0).unwrap();
        assert_eq!((unlabelled.order.count, unlabelled.order.labels.len()), (3, 0));
    }

    #[test]
    fn z_is_the_plain_network() {
        let body = json!({
            "inputs": [z(2), label(&[3, 0])],
            "outputs": [{"name": "pixels", "parameters": {"binary_data": true}}],
            "parameters": {"sequence_id": 0, "priority": 0},
        });
        let asked = ask(body, 10).unwrap();
        assert_eq!(asked.seed, None);
        assert_eq!(asked.order.latents, [0.5; 4]);
        assert_eq!(asked.outputs, [(Output::Pixels, true)]);
        assert_eq!(asked.order.wanted, Wanted { values: false, pixels: true, readings: false });
        assert_eq!(ask(json!({"inputs": [z(4)]}), 0).unwrap().order.count, 4);
    }

    #[test]
    fn what_the_model_does_not_take_is_refused() {
        for (body, classes, part) in [
            (
                json!({"inputs": [label(&[10])]}),
                10,
                "label 10 is not a class of model tiny: it draws the classes 0",
            ),
            (json!({"inputs": [label(&[-1])]}), 10, "label -1"),
            (json!({"inputs": [label(&[])]}), 10, "no image"),
            (json!({"inputs": []}), 10, "neither input z nor input label"),
            (json!({"inputs": [z(1)]}), 10, "input label is missing"),
            (json!({"inputs": [z(2), label(&[1])]}), 10, "z has 2 rows and input label 1 numbers"),
            (json!({"inputs": [label(&[1; 5])]}), 10, "5 images are more than the 4"),
            (json!({"inputs": [z(5), label(&[1; 5])]}), 10, "5 images are more than the 4"),
            (json!({"parameters": {"count": u64::MAX}}), 0, "images are more than the 4"),
            (json!({"parameters": {"count": 2, "index": u64::MAX}}), 0, "from index"),
            (json!({"inputs": [label(&[1])]}), 0, "no input label; it takes z"),
            (
                json!({"inputs": [{"name": "y", "shape": [1], "datatype": "INT64", "data": [1]}]}),
                10,
                "no input y",
            ),
            (
                json!({"inputs": [{"name": "label", "shape": [1], "datatype": "FP32", "data": [1]}]}),
                10,
                "label has datatype FP32, but model tiny takes INT64",
            ),
            (
                json!({"inputs": [{"name": "label", "shape": [1, 1], "datatype": "INT64", "data": [1]}]}),
                10,
                "label has shape [1, 1], but model tiny takes [-1]",
            ),
            (
                json!({"inputs": [{"name": "z", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}),
                10,
                "z has shape [1, 3], but model tiny takes [-1, 2]",
            ),
            (
                json!({"inputs": [z(1), label(&[1])], "parameters": {"seed": 7}}),
                10,
                "parameter seed is about",
            ),
            (json!({"inputs": [label(&[1])], "parameters": {"count": 1}}), 10, "leave parameter count out"),
            (json!({"inputs": [label(&[1])], "parameters": {"sead": 1}}), 10, "parameter sead is not known"),
            (json!({"inputs": [label(&[1])], "parameters": {"seed": -1}}), 10, "parameter seed is -1"),
            (json!({"inputs": [label(&[1])], "parameters": {"verify": 1.5}}), 10, "parameter verify is 1.5"),
            (json!({"parameters": {"verify": true}}), 0, "without a class"),
            (json!({"inputs": [label(&[1])], "outputs": [{"name": "x"}]}), 10, "no output x"),
            (
                json!({"inputs": [label(&[1])], "outputs": [{"name": "image"}, {"name": "image"}]}),
                10,
                "twice",
            ),
            (json!({"inputs": [z(1)], "outputs": [{"name": "judged"}]}), 0, "there is none"),
        ] {
            let refusal = ask(body.clone(), classes).unwrap_err();
            assert!(refusal.message.contains(part), "expected {part:?} in {:?} of {body}", refusal.message);
            assert_eq!(refusal.status.as_u16(), 400);
        }
    }
}
