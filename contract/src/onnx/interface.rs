//! What a generator and a judge take and give.

use super::{
    Header,
    outlet::{Dim, FLOAT32, INT64, Outlet},
};
use crate::{Contract, tensor};

/// Checks that a graph takes and gives what the contract says, and nothing else.
///
/// # Errors
///
/// What was found, and what was expected.
pub fn check(header: &Header, contract: &Contract) -> Result<(), (String, String)> {
    let any_batch = |dims: &[Dim]| !matches!(dims.first(), None | Some(Dim::Fixed(_)));
    let takes = |name: &str, expected: u64, rest: &[Dim]| {
        (header.inputs.iter()).any(|input| match &input.tensor {
            Some((element, dims)) => {
                input.name == name && *element == expected && any_batch(dims) && dims[1..] == *rest
            }
            None => false,
        })
    };
    let labelled = contract.is_labelled();
    let latents = Dim::Fixed(contract.latent_dim as i64);
    let right_inputs = header.inputs.len() == 1 + usize::from(labelled)
        && takes(tensor::Z, FLOAT32, &[latents])
        && (!labelled || takes(tensor::LABEL, INT64, &[]));
    // Channels, height and width may be fixed or not; a run looks at what comes out.
    let right_output = (header.outputs.iter()).any(|output| {
        output.name == tensor::IMAGE
            && matches!(&output.tensor, Some((FLOAT32, dims)) if dims.len() == 4 && any_batch(dims))
    });
    if right_inputs && right_output {
        return Ok(());
    }
    let label = if labelled { ", label: int64[batch]" } else { "" };
    Err((
        declared(header),
        format!(
            "inputs z: float32[batch, {}]{label} \
             and output image: float32[batch, channels, height, width]",
            contract.latent_dim
        ),
    ))
}

/// Channels, height and width of the pictures that a judge of `classes` classes reads, if its graph's
/// inputs and outputs are the contract's.
///
/// # Errors
///
/// What was found, and what was expected.
pub fn check_judge(header: &Header, classes: usize) -> Result<[usize; 3], (String, String)> {
    let shape = match header.inputs.as_slice() {
        [input] if input.name == tensor::IMAGE => input.picture(),
        _ => None,
    };
    let right_output = (header.outputs.iter()).any(|output| match &output.tensor {
        Some((FLOAT32, dims)) => {
            let [batch, rest] = [dims.first(), dims.get(1)];
            output.name == tensor::LOGITS
                && dims.len() == 2
                && !matches!(batch, Some(Dim::Fixed(_)))
                && rest == Some(&Dim::Fixed(classes as i64))
        }
        _ => false,
    });
    shape.filter(|_| right_output).ok_or_else(|| {
        (
            declared(header),
            format!(
                "inputs image: float32[batch, channels, height, width] \
             and outputs logits: float32[batch, {classes}]"
            ),
        )
    })
}

/// Channels, height and width of a generator's pictures, if its graph declares them.
pub fn declared_shape(header: &Header) -> Option<[usize; 3]> {
    header.outputs.iter().find(|output| output.name == tensor::IMAGE)?.picture()
}

/// The graph's inputs and outputs in words.
fn declared(header: &Header) -> String {
    let list = |outlets: &[Outlet]| outlets.iter().map(Outlet::to_string).collect::<Vec<_>>().join(", ");
    format!("inputs {} and outputs {}", list(&header.inputs), list(&header.outputs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::tests::contract as contract_of;
    use crate::onnx::outlet::tests::outlet;

    #[test]
    fn a_batch_of_one_length_is_refused() {
        let mut contract = contract_of(&["a"]);
        contract.latent_dim = 3;
        let graph = |batch: Dim| Header {
            inputs: vec![
                outlet("label", INT64, std::slice::from_ref(&batch)),
                outlet("z", FLOAT32, &[batch.clone(), Dim::Fixed(3)]),
            ],
            outputs: vec![outlet("image", FLOAT32, &[batch, Dim::Any, Dim::Any, Dim::Any])],
            ..Header::default()
        };
        assert_eq!(check(&graph(Dim::Symbol("batch".into())), &contract), Ok(()));
        assert_eq!(check(&graph(Dim::Any), &contract), Ok(()));
        let (found, expected) = check(&graph(Dim::Fixed(1)), &contract).unwrap_err();
        assert_eq!(found, "inputs label: int64[1], z: float32[1, 3] and outputs image: float32[1, ?, ?, ?]");
        assert!(expected.starts_with("inputs z: float32[batch, 3], label: int64[batch]"), "{expected}");
        let mut without = graph(Dim::Any);
        without.inputs.pop();
        assert!(check(&without, &contract).is_err());
        without.inputs.clear();
        assert!(check(&without, &contract).is_err());
    }
}
