//! Graphs of every form go through a file and come back; what no file from here has is refused.

use std::collections::HashMap;
use std::path::Path;

use candle_onnx::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use contract::PixelRange;

use super::super::{Graph, Model, Producer};
use super::decode;
use crate::form::{Deconv, Form, Precision};
use crate::passes::int8::{self, Ranges};
use crate::passes::tests::{every_layer, inputs, operators, plain, random_weights};
use crate::passes::{in_place, simplify};
use crate::reader;

/// The graph's file, and what a reader makes of it.
fn file(graph: &Graph) -> (Vec<u8>, ModelProto) {
    let producer = Producer { name: "test".into(), version: "0".into() };
    let bytes = Model::new(graph, producer).unwrap().encode();
    let (model, _) = reader::decode(&bytes, Path::new("test.onnx")).unwrap();
    (bytes, model)
}

fn proto(graph: &Graph) -> GraphProto {
    file(graph).1.graph.unwrap()
}

/// Every form that a file can have.
fn forms() -> Vec<Graph> {
    let graph = every_layer(4);
    let typical = inputs(&graph, 3);
    let form = |form: Form| {
        let formed = form.of_graph(graph.clone(), Some(PixelRange::MinusOneToOne), &typical, None);
        formed.unwrap().graph
    };
    let simple = simplify(graph.clone()).unwrap();
    let layers: Vec<_> = int8::layers(&simple).into_iter().map(|layer| layer.name).collect();
    vec![
        graph.clone(),
        in_place::products(&simple, 0).unwrap(),
        int8::quantise(&simple, &Ranges::observe(&simple, typical.clone()).unwrap(), &layers).unwrap(),
        form(Form::default()),
        form(Form { deconv: Some(Deconv::Subpixel), ..Form::default() }),
        form(Form { precision: Precision::Fp16, ..Form::default() }),
        form(Form { precision: Precision::Int8, ..Form::default() }),
        form(Form { uint8: true, batch: Some(3), ..Form::default() }),
    ]
}

#[test]
fn a_file_of_any_form_is_read_as_the_graph_that_it_was_written_from() {
    for graph in forms() {
        let (bytes, model) = file(&graph);
        let read = decode(&model.graph.unwrap()).unwrap_or_else(|found| panic!("{found}"));
        assert_eq!(read.nodes(), graph.nodes());
        assert!(file(&read).0 == bytes, "{:?}", operators(&graph));
    }
}

/// Reading what is written is the same, so passes that went over a graph leave it alone.
#[test]
fn passes_leave_alone_what_they_have_done() {
    let form = Form::default();
    let formed = |graph| form.of_graph(graph, None, &HashMap::new(), None).unwrap().graph;
    let network = models::Architecture::LabelledDcgan(models::Sizes::default()).generator().unwrap();
    let once = formed(plain(&network, &random_weights(&network, 5)));
    assert!(operators(&once).contains(&"Squeeze"), "no linear layer is a product");
    let twice = formed(decode(&proto(&once)).unwrap());
    assert!(file(&twice).0 == file(&once).0);
}

/// What one change of a file's graph is refused with.
fn refused(change: impl FnOnce(&mut GraphProto), part: &str) {
    let mut graph = proto(&simplify(every_layer(4)).unwrap());
    change(&mut graph);
    let found = decode(&graph).err().unwrap_or_default();
    assert!(found.contains(part), "expected {part:?} in {found:?}");
}

/// The first node of this operator.
fn node<'a>(graph: &'a mut GraphProto, operator: &str) -> &'a mut NodeProto {
    graph.node.iter_mut().find(|node| node.op_type == operator).unwrap()
}

fn attribute<'a>(graph: &'a mut GraphProto, operator: &str, name: &str) -> &'a mut AttributeProto {
    node(graph, operator).attribute.iter_mut().find(|attribute| attribute.name == name).unwrap()
}

/// The tensor that goes into the first node of this operator at a place.
fn tensor<'a>(graph: &'a mut GraphProto, operator: &str, at: usize) -> &'a mut TensorProto {
    let name = node(graph, operator).input[at].clone();
    graph.initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn what_no_file_from_here_has_is_refused_with_its_place() {
    refused(|graph| node(graph, "Relu").op_type = "Softplus".into(), "operator Softplus is none");
    refused(|graph| node(graph, "Relu").domain = "com.example".into(), "another set, com.example");
    refused(|graph| node(graph, "Relu").output.push("second".into()), "makes 2 values");
    refused(|graph| node(graph, "Relu").name = "other".into(), "a value of another name");
    refused(|graph| node(graph, "Gemm").input.clear(), "node d.linear: Gemm takes");
    refused(|graph| node(graph, "Gemm").attribute.clear(), "lacks attributes");
    refused(|graph| attribute(graph, "Gemm", "transB").i = 0, "attribute transB");
    refused(|graph| attribute(graph, "Gemm", "transB").name = "alpha".into(), "attribute alpha");
    refused(|graph| attribute(graph, "Conv", "strides").ints = vec![0, 1], "stride is 0");
    refused(|graph| attribute(graph, "Conv", "strides").ints = vec![1], "strides has 1 numbers");
    refused(|graph| attribute(graph, "Conv", "pads").ints = vec![i64::MAX; 4], "pads has 9223");
    refused(|graph| attribute(graph, "Conv", "pads").ints = vec![-1; 4], "pads has -1");
    refused(|graph| tensor(graph, "Reshape", 1).raw_data[0] = 1, "its shape are none");
    refused(|graph| tensor(graph, "Reshape", 1).raw_data.fill(0xff), "-1 is no size");
    refused(|graph| tensor(graph, "Reshape", 1).raw_data.fill(0x7f), "is none of a file from here");
    refused(|graph| tensor(graph, "Gemm", 1).dims[0] = i64::MAX, "bytes for the shape");
    refused(|graph| tensor(graph, "Gemm", 1).dims[0] = -1, "a size below 0");
    refused(|graph| tensor(graph, "Gemm", 1).data_type = 11, "no type of number");
    refused(|graph| tensor(graph, "Gemm", 1).data_location = 1, "lies in another file");
    refused(|graph| graph.initializer.push(graph.initializer[0].clone()), "two of its tensors");
    refused(|graph| graph.output[0].name = "nowhere".into(), "another name, y");
    refused(|graph| graph.output[0].r#type = None, "no tensor of a type");
    refused(|graph| graph.input[0] = graph.input[1].clone(), "has a value of that name already");
    refused(|graph| graph.node.reverse(), "nothing before it makes");
}
