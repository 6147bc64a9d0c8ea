//! Which of a graph's inputs is the latents and which the label, and in what form they are taken.

use contract::Contract;
use contract::onnx::Dim;

use super::{Options, list};
use crate::inspect::Value;

/// The most latents that a contract can say.
const MOST_LATENTS: usize = 0xffff;
/// Names that an input of labels often has, and those of latents.
const LABELS: [&str; 10] =
    ["y", "c", "label", "labels", "class", "classes", "one_hot", "onehot", "cond", "condition"];
const LATENTS: [&str; 6] = ["z", "noise", "latent", "latents", "random", "x"];

/// What a generator takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    pub latents: Latents,
    pub labels: Option<Labels>,
}

/// Its latents.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    /// The input's name.
    pub name: String,
    /// The dimensions behind the batch: all but one are 1.
    pub item: Vec<usize>,
}

/// Its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The input's name.
    pub name: String,
    /// Its elements' type, such as `int64`.
    pub element: String,
    /// The dimensions behind the batch.
    pub item: Vec<usize>,
}

impl Latents {
    /// A value as latents, if it can be such.
    fn of(value: &Value) -> Option<Latents> {
        let item = item(value)?;
        let fits = value.element == "float32"
            && (1..=3).contains(&item.len())
            && item.iter().filter(|&&size| size > 1).count() < 2
            && item.iter().max()? <= &MOST_LATENTS;
        fits.then(|| Latents { name: value.name.clone(), item })
    }

    /// How many latents an image takes.
    pub fn size(&self) -> usize {
        self.item.iter().product()
    }
}

impl Labels {
    /// A value as a label, if it can be such: a class's number, (N) or (N, 1), or one number a class, (N, C)
    /// or (N, C, 1, 1).
    fn of(value: &Value) -> Option<Labels> {
        let item = item(value)?;
        let fits = ["float32", "int64", "int32"].contains(&value.element.as_str())
            && item.len() <= 3
            && item.iter().skip(1).all(|&size| size == 1);
        fits.then(|| Labels { name: value.name.clone(), element: value.element.clone(), item })
    }

    /// How many classes it is one-hot of, if it is.
    pub fn one_hot(&self) -> Option<usize> {
        self.item.first().copied().filter(|&count| count > 1)
    }
}

impl Inputs {
    /// Finds them among a graph's inputs.
    ///
    /// # Errors
    /// A sentence, if there are others, it isn't clear which is which, or what was asked for isn't so.
    pub fn find(values: &[Value], options: &Options) -> Result<Inputs, String> {
        let classes = options.classes.as_ref().map(Vec::len);
        let named = |option: &str, name: &Option<String>| match name {
            Some(name) => match values.iter().position(|value| value.name == *name) {
                Some(at) => Ok(Some(at)),
                None => Err(format!("{option} {name}: it has no such input, it takes {}", list(values))),
            },
            None => Ok(None),
        };
        let of_latents = named("--latent-input", &options.latent_input)?;
        let of_label = named("--label-input", &options.label_input)?;
        if of_latents.is_some() && of_latents == of_label {
            return Err("--latent-input and --label-input name the same input".to_string());
        }
        check_batch(values)?;
        let (latents, labels) = match values {
            [only] => match (of_label, classes) {
                (Some(_), _) => {
                    return Err(format!("--label-input: it takes {only} alone, which is its latents"));
                }
                (None, Some(_)) => {
                    return Err(format!(
                        "--classes: it takes {only} alone, and no label; leave --classes out"
                    ));
                }
                (None, None) => (only, None),
            },
            [a, b] => {
                let latents_first = match (of_latents, of_label) {
                    (Some(at), _) => at == 0,
                    (None, Some(at)) => at == 1,
                    (None, None) => is_latents_first(a, b, classes)?,
                };
                if latents_first { (a, Some(b)) } else { (b, Some(a)) }
            }
            _ => {
                return Err(format!(
                    "it takes {}, where a generator takes latents, or latents and a label; export it with these \
                     alone",
                    list(values)
                ));
            }
        };
        let inputs = Inputs {
            latents: Latents::of(latents).ok_or_else(|| {
                format!(
                    "its input {latents} can't be its latents, which are float32[N, d] or float32[N, d, 1, 1] \
                     with d fixed"
                )
            })?,
            labels: match labels {
                Some(value) => Some(Labels::of(value).ok_or_else(|| {
                    format!(
                        "its input {value} can't be its label, which is a number, int64[N] or int32[N, 1], or \
                         one-hot, float32[N, classes]"
                    )
                })?),
                None => None,
            },
        };
        match (inputs.labels.as_ref().and_then(Labels::one_hot), classes) {
            (Some(taken), Some(named)) if taken != named => Err(format!(
                "its label {} is one-hot of {taken}, but --classes names {named}",
                labels.map(Value::to_string).unwrap_or_default()
            )),
            _ => Ok(inputs),
        }
    }

    /// What is taken, in words.
    pub fn describe(&self, contract: &Contract) -> Vec<String> {
        let Latents { name, .. } = &self.latents;
        let latents = format!("{name}: {} latents, {}", self.latents.size(), contract.latent_distribution);
        let label = self.labels.as_ref().map(|labels| {
            let form = if labels.one_hot().is_some() { "one-hot" } else { "as a number" };
            format!("{}: the label, {form}; {}", labels.name, contract.describe_classes())
        });
        [latents].into_iter().chain(label).collect()
    }
}

/// Refuses inputs that take one number of images alone.
fn check_batch(values: &[Value]) -> Result<(), String> {
    let fixed = values.iter().find_map(|value| match value.dims.as_ref()?.first()? {
        Dim::Fixed(batch) if *batch >= 0 => Some((value, batch)),
        _ => None,
    });
    match fixed {
        None => Ok(()),
        Some((value, batch)) => Err(format!(
            "its input {value} takes {batch} images at a time and no other number; export it with a batch of any \
             size (dynamic_axes or dynamic_shapes of torch.onnx.export)"
        )),
    }
}

/// Whether the first of two inputs is the latents, and the second the label.
fn is_latents_first(a: &Value, b: &Value, classes: Option<usize>) -> Result<bool, String> {
    // (latents, label) either way.
    let [first, second] = [(a, b), (b, a)].map(|(latents, label)| {
        let label = Labels::of(label);
        let fits = |labels: &Labels| labels.one_hot().is_none_or(|taken| classes.is_none_or(|n| n == taken));
        // A float32 of one number is rather a latent than a class.
        let is_class = |labels: &Labels| labels.one_hot().is_some() || labels.element != "float32";
        Latents::of(latents).is_some()
            && label.as_ref().is_some_and(|labels| fits(labels) && is_class(labels))
    });
    let is_called = |value: &Value, names: &[&str]| names.contains(&value.name.to_lowercase().as_str());
    let by_name = |latents: &Value, label: &Value| {
        (is_called(label, &LABELS) && !is_called(latents, &LABELS))
            || (is_called(latents, &LATENTS) && !is_called(label, &LATENTS))
    };
    match (first, second) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        (true, true) => match (by_name(a, b), by_name(b, a)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(format!(
                "it takes {a} and {b}, and either could be its latents; say which with --latent-input {} or \
                 --latent-input {}",
                a.name, b.name
            )),
        },
        (false, false) => match classes {
            Some(classes) if is_latents_first(a, b, None).is_ok() => Err(format!(
                "it takes {a} and {b}, and neither is a label of {classes} classes, which --classes names"
            )),
            _ => Err(format!(
                "it takes {a} and {b}, which are not latents, float32[N, d] or float32[N, d, 1, 1], and a label, \
                 a number or one-hot"
            )),
        },
    }
}

/// The dimensions behind the batch, if all are fixed.
fn item(value: &Value) -> Option<Vec<usize>> {
    let (_, item) = value.dims.as_ref()?.split_first()?;
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size @ 1..) => usize::try_from(*size).ok(),
        _ => None,
    };
    item.iter().map(size).collect()
}
