//! Descriptions that say something else than `forward` are refused, and the first step that differs is named.
#![cfg(test)]

mod own;

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{
    Conv2d, Conv2dConfig, LayerNorm, Linear, Module, VarBuilder, VarMap, conv2d, layer_norm, linear, ops,
};
use export::builder::{Builder, Interface, Step};
use own::{noise, telling};

/// Two convolutions and two linear layers.
struct Net {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl Net {
    fn new() -> Net {
        let weights = VarMap::new();
        let new = |vs: VarBuilder<'_>| -> Result<Net> {
            Ok(Net {
                conv1: conv2d(2, 4, 3, Default::default(), vs.pp("conv1"))?,
                conv2: conv2d(4, 4, 3, Conv2dConfig { padding: 1, ..Default::default() }, vs.pp("conv2"))?,
                fc1: linear(4 * 4 * 6, 8, vs.pp("fc1"))?,
                fc2: linear(8, 3, vs.pp("fc2"))?,
            })
        };
        new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap();
        telling(&weights, 1);
        new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap()
    }

    /// (N, 2, 10, 14) → (N, 3)
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let xs = self.conv1.forward(xs)?.relu()?.max_pool2d(2)?; // N, 4, 4, 6
        let xs = (self.conv2.forward(&xs)?.silu()? + xs)?;
        let xs = self.fc1.forward(&xs.flatten_from(1)?)?.relu()?;
        ops::softmax(&self.fc2.forward(&xs)?, 1)
    }

    /// What a description is refused with.
    fn refused(&self, describe: impl FnOnce(&Builder, &Step) -> export::Result<Step>) -> String {
        let interface = Interface { name: "net", inputs: [("x", noise(&[3, 2, 10, 14], 2))], output: "y" };
        let proven = interface.prove(|[x]| self.forward(&x), |graph, [x]| describe(graph, &x));
        proven.map(|_| ()).unwrap_err().to_string()
    }

    fn start(&self, g: &Builder, x: &Step) -> export::Result<Step> {
        g.max_pool2d(&g.relu(&g.conv2d(x, &self.conv1)?)?, 2)
    }

    fn end(&self, g: &Builder, x: &Step) -> export::Result<Step> {
        let x = g.relu(&g.linear(&g.flatten(x)?, &self.fc1)?)?;
        g.softmax(&g.linear(&x, &self.fc2)?, 1)
    }
}

fn first_at(message: &str, step: &str) {
    assert!(
        message.starts_with(&format!("the description differs from `forward` first at {step}: ")),
        "{message}"
    );
}

#[test]
fn a_right_description_passes() {
    let net = Net::new();
    let interface = Interface { name: "net", inputs: [("x", noise(&[3, 2, 10, 14], 2))], output: "y" };
    let describe = |g: &Builder, x: &Step| {
        let x = net.start(g, x)?;
        net.end(g, &g.add(&g.silu(&g.conv2d(&x, &net.conv2)?)?, &x)?)
    };
    let network = interface.prove(|[x]| net.forward(&x), |graph, [x]| describe(graph, &x)).unwrap();
    assert_eq!(network.steps()[2], "max_pool2d_1");
}

#[test]
fn a_forgotten_activation() {
    let net = Net::new();
    let message = net.refused(|g, x| {
        let x = net.start(g, x)?;
        net.end(g, &g.add(&g.conv2d(&x, &net.conv2)?, &x)?)
    });
    first_at(&message, "add_1");
    assert!(message.ends_with("it has the SiLU of conv2d_2, which the description lacks"), "{message}");

    let message = net.refused(|g, x| {
        let x = net.start(g, x)?;
        let x = g.flatten(&g.add(&g.silu(&g.conv2d(&x, &net.conv2)?)?, &x)?)?;
        g.softmax(&g.linear(&g.linear(&x, &net.fc1)?, &net.fc2)?, 1)
    });
    first_at(&message, "linear_2");
    assert!(message.ends_with("it has the ReLU of linear_1, which the description lacks"), "{message}");
}

#[test]
fn a_forgotten_end() {
    let net = Net::new();
    let message = net.refused(|g, x| {
        let x = net.start(g, x)?;
        let x = g.flatten(&g.add(&g.silu(&g.conv2d(&x, &net.conv2)?)?, &x)?)?;
        g.linear(&g.relu(&g.linear(&x, &net.fc1)?)?, &net.fc2)
    });
    first_at(&message, "linear_2");
    assert!(message.ends_with("it has the softmax of linear_2, which the description lacks"), "{message}");
}

/// The stride of a pool is the description's own number; the shape then doesn't fit a later step.
#[test]
fn another_stride() {
    let net = Net::new();
    let message = net.refused(|g, x| {
        let x = g.max_pool2d_with_stride(&g.relu(&g.conv2d(x, &net.conv1)?)?, 2, 1)?;
        net.end(g, &g.add(&g.silu(&g.conv2d(&x, &net.conv2)?)?, &x)?)
    });
    first_at(&message, "max_pool2d_1");
    assert!(message.contains("node linear_1: Gemm takes vectors"), "{message}");
}

/// The same weights with another stride, and another pool, where every shape fits.
#[test]
fn another_module() {
    let net = Net::new();
    let message = net.refused(|g, x| {
        let x = g.avg_pool2d(&g.relu(&g.conv2d(x, &net.conv1)?)?, 2)?;
        net.end(g, &g.add(&g.silu(&g.conv2d(&x, &net.conv2)?)?, &x)?)
    });
    first_at(&message, "avg_pool2d_1");
    let config = Conv2dConfig { padding: 2, dilation: 2, ..*net.conv2.config() };
    let other = Conv2d::new(net.conv2.weight().clone(), net.conv2.bias().cloned(), config);
    let message = net.refused(|g, x| {
        let x = net.start(g, x)?;
        net.end(g, &g.add(&g.silu(&g.conv2d(&x, &other)?)?, &x)?)
    });
    first_at(&message, "conv2d_2");
}

#[test]
fn another_order() {
    let net = Net::new();
    let message = net.refused(|g, x| {
        let x = net.start(g, x)?;
        net.end(g, &g.silu(&g.add(&g.conv2d(&x, &net.conv2)?, &x)?)?)
    });
    first_at(&message, "add_1");
}

/// A transformer's feed-forward part, behind a layer norm, which keeps nothing of what lies before it.
struct Part {
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Part {
    fn new(vs: VarBuilder<'_>) -> Result<Part> {
        Ok(Part {
            norm: layer_norm(6, 1e-5, vs.pp("norm"))?,
            fc1: linear(6, 9, vs.pp("fc1"))?,
            fc2: linear(9, 6, vs.pp("fc2"))?,
        })
    }

    fn refused(&self) -> String {
        let interface = Interface { name: "part", inputs: [("x", noise(&[3, 5, 6], 2))], output: "y" };
        let forward =
            |x: &Tensor| x + self.fc2.forward(&self.fc1.forward(&self.norm.forward(x)?)?.gelu_erf()?)?;
        let describe = |g: &Builder, x: &Step| {
            g.add(x, &g.linear(&g.linear(&g.layer_norm(x, &self.norm)?, &self.fc1)?, &self.fc2)?)
        };
        let proven = interface.prove(|[x]| forward(&x), |graph, [x]| describe(graph, &x));
        proven.map(|_| ()).unwrap_err().to_string()
    }
}

#[test]
fn behind_what_keeps_nothing() {
    let weights = VarMap::new();
    Part::new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap();
    telling(&weights, 3);
    // Weights that are variables show what is made of them.
    let part = Part::new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap();
    let message = part.refused();
    first_at(&message, "linear_2");
    assert!(message.contains("it has the GELU of linear_1, which the description lacks"), "{message}");
    // Of weights that aren't, only the sum is seen, and the message says where else it may be.
    let data = weights.data().lock().unwrap();
    let frozen: HashMap<String, Tensor> =
        data.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect();
    let part = Part::new(VarBuilder::from_tensors(frozen, DType::F32, &Device::Cpu)).unwrap();
    let message = part.refused();
    first_at(&message, "add_1");
    let hidden = "or in layer_norm_1, linear_1, linear_2 before it, whose results Candle doesn't keep";
    assert!(message.contains(hidden), "{message}");
}

/// Softmax along the last axis keeps nothing either: at the end, it hides all before it, and the message says so.
#[test]
fn before_what_keeps_nothing() {
    let fc = |seed| Linear::new(noise(&[4, 4], seed), None);
    let (fc1, fc2) = (fc(1), fc(2));
    let refused = |softmax: bool| {
        let interface = Interface { name: "end", inputs: [("x", noise(&[3, 4], 3))], output: "y" };
        let forward = |x: &Tensor| ops::softmax_last_dim(&fc2.forward(&fc1.forward(x)?.relu()?)?);
        let describe = |g: &Builder, x: &Step| match softmax {
            true => g.softmax(&g.linear(&g.linear(x, &fc1)?, &fc2)?, 1),
            false => g.linear(&g.relu(&g.linear(x, &fc1)?)?, &fc2),
        };
        let proven = interface.prove(|[x]| forward(&x), |graph, [x]| describe(graph, &x));
        proven.map(|_| ()).unwrap_err().to_string()
    };
    let message = refused(true);
    first_at(&message, "linear_1");
    assert!(message.contains("or behind it") && message.contains("on its own"), "{message}");
    first_at(&refused(false), "linear_2");
}

/// What can't be described is refused at its step, in a sentence.
#[test]
fn what_can_t_be() {
    let x = noise(&[3, 4, 6], 1);
    let refused = |describe: &dyn Fn(&Builder, &Step) -> export::Result<Step>| {
        let interface = Interface { name: "g", inputs: [("x", x.clone())], output: "y" };
        let proven = interface.prove(|[x]| Ok(x), |graph, [x]| describe(graph, &x));
        proven.map(|_| ()).unwrap_err().to_string()
    };
    type Case = (fn(&Builder, &Step) -> export::Result<Step>, &'static str);
    let cases: [Case; 9] = [
        (|g, x| g.softmax(x, 0), "node softmax_1: would mix the items of a batch, which is axis 0"),
        (|g, x| g.permute(x, [1, 0, 2]), "node permute_1: would move axis 0, which counts items"),
        (|g, x| g.narrow(x, 1, 2, 3), "node narrow_1: Slice takes a shape with 2 to 5 on axis 1"),
        (|g, x| g.reshape(x, (5, 5)), "node reshape_1: Reshape takes a batch of items of 25 numbers"),
        (|g, x| g.max_pool2d(x, 2), "node max_pool2d_1: MaxPool takes planes of at least 2×2"),
        (|g, x| g.upsample_nearest2d(x, 2, 2), "node upsample_nearest2d_1: takes planes"),
        (
            |g, x| g.concat(&[], 1).or_else(|_| g.concat(&[x, &g.flatten(x)?], 1)),
            "Concat takes shapes that differ",
        ),
        (|g, x| g.mean(x, [3]), "node mean_1: "),
        (|g, x| g.attention(&g.flatten(x)?, x, x, 1.), "takes queries, keys and values of as many axes"),
    ];
    for (describe, expected) in cases {
        let message = refused(&describe);
        assert!(message.contains(expected), "{message}");
    }
    let no_items = Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
    let interface = Interface { name: "g", inputs: [("x", no_items)], output: "y" };
    let error = interface.prove(|[x]| Ok(x), |_, [x]| Ok(x)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("a sample of shape [0, 3] has no items"), "{error}");
}

/// GroupNorm keeps its numbers to itself; one whose ε can't be seen is refused, and so is another channel count.
#[test]
fn group_norms_numbers_are_found_or_refused() {
    let ones = |size| Tensor::ones(size, DType::F32, &Device::Cpu).unwrap();
    let prove = |norm: &candle_nn::GroupNorm| {
        let interface = Interface { name: "g", inputs: [("x", noise(&[2, 6, 5, 3], 1))], output: "y" };
        interface.prove(|[x]| norm.forward(&x), |g, [x]| g.group_norm(&x, norm)).map(|_| ())
    };
    for groups in [1, 2, 3, 6] {
        for epsilon in [1e-12, 1e-6, 1e-5, 3.7e-4, 0.5] {
            let weight = noise(&[6], 5);
            let bias = (noise(&[6], 6) * 3.).unwrap();
            prove(&candle_nn::GroupNorm::new(weight, bias, 6, groups, epsilon).unwrap()).unwrap();
        }
    }
    let without = candle_nn::GroupNorm::new(ones(6), ones(6), 6, 2, 0.).unwrap();
    let message = prove(&without).unwrap_err().to_string();
    assert!(message.contains("no number of groups and no ε"), "{message}");
}
