//! Which inputs and outputs of two models belong together.

use std::collections::BTreeMap;

use contract::LatentDistribution;
use contract::onnx::Dim;

use crate::inspect::Value;

/// Sizes of dimensions that a file leaves open: by their name, or by their input and axis, as in `state.2`.
pub type Sizes = BTreeMap<String, usize>;

/// An input that both models take.
#[derive(Clone, Debug)]
pub struct Input {
    /// How either takes it.
    pub forms: [Form; 2],
    /// What it is.
    pub kind: Kind,
}

/// How one model takes an input.
#[derive(Clone, Debug)]
pub struct Form {
    /// Its name.
    pub name: String,
    /// Its elements' type.
    pub element: String,
    /// Its shape; `None` is the batch.
    pub dims: Vec<Option<usize>>,
}

/// What an input is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Latents, of the distribution that the metadata says.
    Latents(LatentDistribution),
    /// The class, as a number or as one-hot numbers.
    Labels(usize),
    /// Anything.
    Uniform,
}

impl Input {
    /// Pairs two inputs. They have to be alike, but for labels: one model may take a number, the other
    /// one-hot numbers.
    ///
    /// # Errors
    /// A sentence, if they can't be filled with the same.
    pub fn new(a: &Value, b: &Value, kind: Kind, sizes: &Sizes) -> Result<Input, String> {
        let form =
            |value: &Value, dims| Form { name: value.name.clone(), element: value.element.clone(), dims };
        let of_labels = |value: &Value| match (kind, value.element.as_str(), value.dims.as_deref()?) {
            (Kind::Labels(_), "int64", [Dim::Symbol(_) | Dim::Any]) => Some(vec![None]),
            (Kind::Labels(classes), "float32", [Dim::Symbol(_) | Dim::Any, Dim::Fixed(count)]) => {
                (*count == classes as i64).then_some(vec![None, Some(classes)])
            }
            _ => None,
        };
        let forms = match (of_labels(a), of_labels(b)) {
            (Some(of_a), Some(of_b)) => [form(a, of_a), form(b, of_b)],
            _ => {
                let dims = dims(a, b, sizes)?;
                [form(a, dims.clone()), form(b, dims)]
            }
        };
        Ok(Input { forms, kind })
    }
}

/// The values of two models that belong together: by name, or, if the names are others, by place.
///
/// # Errors
/// A sentence, if there are more of them in one model, or a pair is of different types.
pub fn pairs<'a>(verb: &str, a: &'a [Value], b: &'a [Value]) -> Result<Vec<(&'a Value, &'a Value)>, String> {
    let list = |values: &[Value]| match values {
        [] => "nothing".to_string(),
        _ => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
    };
    let different = || format!("the first {verb} {}, the second {}", list(a), list(b));
    if a.len() != b.len() {
        return Err(different());
    }
    let named: Option<Vec<_>> =
        a.iter().map(|value| Some((value, b.iter().find(|other| other.name == value.name)?))).collect();
    Ok(named.unwrap_or_else(|| a.iter().zip(b).collect()))
}

/// What `--size` may call an open dimension: by its name, if it has one, and by its input and axis.
pub fn keys(value: &Value, axis: usize, dim: &Dim) -> Vec<String> {
    let name = match dim {
        Dim::Symbol(name) => Some(name.clone()),
        Dim::Fixed(0..) => return Vec::new(),
        Dim::Fixed(_) | Dim::Any => None,
    };
    name.into_iter().chain([format!("{}.{axis}", value.name)]).collect()
}

/// The shape that both sides' inputs can have.
fn dims(a: &Value, b: &Value, sizes: &Sizes) -> Result<Vec<Option<usize>>, String> {
    let different = || format!("the first takes {a}, the second {b}");
    if a.element != b.element {
        return Err(different());
    }
    let unknown = |value: &Value| format!("the shape of the input {} isn't in the file", value.name);
    let of_a = a.dims.as_ref().ok_or_else(|| unknown(a))?;
    let of_b = b.dims.as_ref().ok_or_else(|| unknown(b))?;
    if of_a.len() != of_b.len() {
        return Err(different());
    }
    let dim = |(axis, (a_dim, b_dim)): (usize, (&Dim, &Dim))| match (a_dim, b_dim) {
        (Dim::Fixed(one), Dim::Fixed(other)) if *one >= 0 && *other >= 0 && one != other => Err(different()),
        (Dim::Fixed(size), _) | (_, Dim::Fixed(size)) if *size >= 0 => {
            usize::try_from(*size).map(Some).map_err(|_| different())
        }
        // Some programs write −1 for a size that is open.
        (one, other) => {
            let keys = [(a, one), (b, other)].map(|(value, dim)| keys(value, axis, dim));
            match (keys.iter().flatten().find_map(|key| sizes.get(key)), axis) {
                (Some(size), _) => Ok(Some(*size)),
                (None, 0) => Ok(None),
                (None, _) => Err(format!(
                    "the size of the dimension {one} of the input {} isn't in the file; say it with --size \
                     {}=NUMBER",
                    a.name, keys[0][0]
                )),
            }
        }
    };
    of_a.iter().zip(of_b).enumerate().map(dim).collect()
}
