//! `adopt` on graphs made by hand: names, operators, layouts and weights that exporters of any program may write,
//! and graphs that no one can draw from.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use std::path::{Path, PathBuf};

use candle_onnx::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_shape_proto::Dimension, tensor_shape_proto::dimension, type_proto,
};
use contract::LatentDistribution;
use export::adopt::{Layout, Options, Pixels, Report, adopt};
use infer::{Engine, Generator, ModelSource};
use prost::Message;

const FLOAT: i32 = 1;
const INT64: i32 = 7;

fn info(name: &str, element: i32, dims: &[Option<i64>]) -> ValueInfoProto {
    let dim = |size: &Option<i64>| Dimension {
        value: Some(match size {
            Some(size) => dimension::Value::DimValue(*size),
            None => dimension::Value::DimParam("N".into()),
        }),
        ..Default::default()
    };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let value = Some(type_proto::Value::TensorType(type_proto::Tensor { elem_type: element, shape }));
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value, ..Default::default() }),
        ..Default::default()
    }
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: ints.into(),
        r#type: AttributeType::Ints.into(),
        ..Default::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i, r#type: AttributeType::Int.into(), ..Default::default() }
}

fn floats(name: &str, dims: &[i64], numbers: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.into(),
        data_type: FLOAT,
        raw_data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ..Default::default()
    }
}

fn integers(name: &str, numbers: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![numbers.len() as i64],
        data_type: INT64,
        raw_data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ..Default::default()
    }
}

/// Numbers that differ from each other.
fn weight(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>();
    let numbers: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 / 50. - 1.).collect();
    floats(name, dims, &numbers)
}

fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        producer_name: "by hand".into(),
        graph: Some(graph),
        ..Default::default()
    }
}

/// image (N, 1, 3, 2) = reshape(`last`(z · weight)), of z (N, 4).
fn plain(last: NodeProto) -> ModelProto {
    model(GraphProto {
        name: "plain".into(),
        node: vec![
            node("MatMul", &["latents", "weight"], "flat", Vec::new()),
            last,
            node("Reshape", &["last", "shape"], "out", Vec::new()),
        ],
        initializer: vec![weight("weight", &[4, 6]), integers("shape", &[-1, 1, 3, 2])],
        input: vec![info("latents", FLOAT, &[None, Some(4)])],
        output: vec![info("out", FLOAT, &[None, Some(1), Some(3), Some(2)])],
        ..Default::default()
    })
}

fn tanh() -> NodeProto {
    node("Tanh", &["flat"], "last", Vec::new())
}

/// A folder with a model in it.
struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new(model: &ModelProto) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        // Packed, as other encoders write it.
        std::fs::write(folder.path().join("model.onnx"), model.encode_to_vec()).unwrap();
        Folder { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn options(&self) -> Options {
        Options {
            file: self.path("model.onnx"),
            out: self.path("gen.onnx"),
            latent: Some(LatentDistribution::Normal),
            ..Options::default()
        }
    }
}

/// Adopts a model, which draws in both engines if rten takes it.
#[track_caller]
fn adopted(model: &ModelProto, change: impl FnOnce(&mut Options)) -> (Report, Folder) {
    let folder = Folder::new(model);
    let mut options = folder.options();
    change(&mut options);
    let report = adopt(&options).unwrap_or_else(|error| panic!("{error}"));
    (report, folder)
}

/// What a model is refused with; nothing is written then.
#[track_caller]
fn refused(model: &ModelProto, change: impl FnOnce(&mut Options), part: &str) {
    let folder = Folder::new(model);
    let mut options = folder.options();
    change(&mut options);
    refused_in(&folder, &options, part);
}

#[track_caller]
fn refused_in(folder: &Folder, options: &Options, part: &str) {
    let error = adopt(options).err().map(|error| (error.is_bad_request(), error.to_string()));
    let (is_bad_request, said) = error.unwrap_or_else(|| panic!("it was adopted, not refused for {part:?}"));
    assert!(said.contains(part), "expected {part:?} in {said:?}");
    assert!(is_bad_request && said.lines().count() == 1, "{said}");
    assert!(!folder.path("gen.onnx").exists());
}

/// The pictures of two latents and labels.
fn drawn(file: &Path, labels: &[i64]) -> Vec<f32> {
    let options = infer::Options { engine: Engine::Rten, ..Default::default() };
    let mut generator = Generator::load(&ModelSource::File(file), &options).unwrap();
    let z = ndarray::Array2::from_shape_fn((2, generator.contract().latent_dim), |(i, j)| {
        (i * 3 + j * 2) as f32 / 7. - 0.5
    });
    generator.run(z.view(), labels).unwrap().into_iter().collect()
}

#[test]
fn names_that_are_the_contracts_are_no_obstacle() {
    // Latents are called label, the label image, and values within z, label.own and, in a branch, image.own.
    let branch = |name: &str, operator: &str| GraphProto {
        name: name.into(),
        node: vec![node(operator, &["z"], "image.own", Vec::new())],
        output: vec![info("image.own", FLOAT, &[None, Some(6)])],
        ..Default::default()
    };
    let graph_of = |name: &str, graph: GraphProto| AttributeProto {
        name: name.into(),
        g: Some(graph),
        r#type: AttributeType::Graph.into(),
        ..Default::default()
    };
    let either = vec![
        graph_of("then_branch", branch("yes", "Tanh")),
        graph_of("else_branch", branch("no", "Sigmoid")),
    ];
    let truth = TensorProto { name: "truth".into(), data_type: 9, raw_data: vec![1], ..Default::default() };
    let graph = GraphProto {
        name: "names".into(),
        node: vec![
            node("MatMul", &["label", "weight"], "label.own", Vec::new()),
            node("Gather", &["table", "image"], "row", vec![int("axis", 0)]),
            node("Add", &["label.own", "row"], "z", Vec::new()),
            node("If", &["truth"], "either", either),
            node("Reshape", &["either", "shape"], "y", Vec::new()),
        ],
        initializer: vec![
            weight("weight", &[4, 6]),
            weight("table", &[3, 6]),
            truth,
            integers("shape", &[-1, 1, 3, 2]),
        ],
        input: vec![info("image", INT64, &[None]), info("label", FLOAT, &[None, Some(4)])],
        output: vec![info("y", FLOAT, &[None, Some(1), Some(3), Some(2)])],
        ..Default::default()
    };
    let names = ["a", "b", "c"].map(String::from);
    let flags = |options: &mut Options| {
        options.classes = Some(names.to_vec());
        options.pixels = Some(Pixels::MinusOneToOne);
    };
    let (report, folder) = adopted(&model(graph), flags);
    assert_eq!(report.about["added"], serde_json::json!([]));
    let [first, second] = [[0, 1], [2, 1]].map(|labels| drawn(&folder.path("gen.onnx"), &labels));
    assert_ne!(first[..6], second[..6]);
    assert_eq!(first[6..], second[6..]);
}

#[test]
fn labels_in_any_form_draw_the_same() {
    // row (N, 6) of the label, from its number or from one-hot numbers.
    let labelled = |element: i32, item: &[Option<i64>], nodes: Vec<NodeProto>| {
        let mut steps = nodes;
        steps.extend([
            node("MatMul", &["z", "weight"], "flat", Vec::new()),
            node("Add", &["flat", "row"], "sum", Vec::new()),
            node("Tanh", &["sum"], "last", Vec::new()),
            node("Reshape", &["last", "shape"], "out", Vec::new()),
        ]);
        model(GraphProto {
            name: "labels".into(),
            node: steps,
            initializer: vec![
                weight("weight", &[4, 6]),
                weight("table", &[3, 6]),
                integers("shape", &[-1, 1, 3, 2]),
                integers("flat.shape", &[-1, 3]),
                integers("row.shape", &[-1]),
            ],
            input: vec![info("y", element, &[&[None], item].concat()), info("z", FLOAT, &[None, Some(4)])],
            output: vec![info("out", FLOAT, &[None, Some(1), Some(3), Some(2)])],
            ..Default::default()
        })
    };
    let gather = |index: &str| node("Gather", &["table", index], "row", vec![int("axis", 0)]);
    let column = || node("Reshape", &["y", "row.shape"], "index", Vec::new());
    let to = |element: i64| node("Cast", &["whole"], "index", vec![int("to", element)]);
    let mut number = column();
    number.output = vec!["whole".into()];
    let product = |rows: &str| node("MatMul", &[rows, "table"], "row", Vec::new());
    let one_hot = || node("Reshape", &["y", "flat.shape"], "rows", Vec::new());
    let float = || node("Cast", &["y"], "rows", vec![int("to", 1)]);
    let int32 = 6;
    let forms = [
        labelled(INT64, &[], vec![gather("y")]),
        labelled(int32, &[], vec![gather("y")]),
        labelled(INT64, &[Some(1)], vec![column(), gather("index")]),
        labelled(FLOAT, &[Some(1)], vec![number, to(7), gather("index")]),
        labelled(FLOAT, &[Some(3)], vec![product("y")]),
        labelled(INT64, &[Some(3)], vec![float(), product("rows")]),
        labelled(FLOAT, &[Some(3), Some(1), Some(1)], vec![one_hot(), product("rows")]),
    ];
    let mut pictures: Vec<Vec<f32>> = Vec::new();
    for form in &forms {
        let (report, folder) = adopted(form, |options| {
            options.classes = Some(["a", "b", "c"].map(String::from).to_vec());
            options.label_input = Some("y".into());
        });
        assert_eq!(report.embedded, None, "{report}");
        pictures.push(drawn(&folder.path("gen.onnx"), &[2, 1]));
    }
    for picture in &pictures {
        let far = picture.iter().zip(&pictures[0]).find(|(a, b)| (*a - *b).abs() > 1e-5);
        assert!(far.is_none(), "{far:?}");
    }
}

#[test]
fn pixels_and_layouts() {
    // 255 · sigmoid, as float32.
    let mut levels = plain(node("Sigmoid", &["flat"], "small", Vec::new()));
    let graph = levels.graph.as_mut().unwrap();
    graph.node.insert(2, node("Mul", &["small", "most"], "last", Vec::new()));
    graph.initializer.push(floats("most", &[], &[255.]));
    let small = plain(node("Sigmoid", &["flat"], "last", Vec::new()));
    let (_, folder) = adopted(&levels, |options| options.pixels = Some(Pixels::Levels));
    let (_, other) = adopted(&small, |_| {});
    let [a, b] = [&folder, &other].map(|folder| drawn(&folder.path("gen.onnx"), &[]));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    refused(&levels, |_| {}, "doesn't say what black and white are (add --pixels 0..1, -1..1 or 0..255)");
    refused(&levels, |options| options.pixels = Some(Pixels::ZeroToOne), "it draws numbers from");
    let mut scaled = plain(tanh());
    scaled.graph.as_mut().unwrap().node[1] = node("Softsign", &["flat"], "last", Vec::new());
    refused(
        &scaled,
        |options| options.pixels = Some(Pixels::Levels),
        "--pixels 0..255: it draws numbers from",
    );

    // (N, 3, 2, 3) may be read either way.
    let mut either = plain(tanh());
    let graph = either.graph.as_mut().unwrap();
    graph.initializer = vec![weight("weight", &[4, 18]), integers("shape", &[-1, 3, 2, 3])];
    graph.output = vec![info("out", FLOAT, &[None, None, None, None])];
    refused(&either, |_| {}, "say it with --layout nchw or --layout nhwc");
    let [first, last] = [Layout::Nchw, Layout::Nhwc].map(|layout| {
        let (_, folder) = adopted(&either, |options| options.layout = Some(layout));
        drawn(&folder.path("gen.onnx"), &[])
    });
    // Rows, columns and channels of the second picture.
    for (row, column, channel) in
        (0..3).flat_map(|r| (0..2).flat_map(move |c| (0..3).map(move |k| (r, c, k))))
    {
        let nhwc = last[18 + channel * 6 + row * 2 + column];
        assert_eq!(nhwc, first[18 + row * 6 + column * 3 + channel]);
    }
    let mut grey = plain(tanh());
    grey.graph.as_mut().unwrap().initializer[1] = integers("shape", &[-1, 2, 1, 3]);
    adopted(&grey, |_| {});
    grey.graph.as_mut().unwrap().initializer[1] = integers("shape", &[-1, 2, 3]);
    grey.graph.as_mut().unwrap().output = vec![info("out", FLOAT, &[None, Some(2), Some(3)])];
    refused(&grey, |_| {}, "none of it is pictures");
}

#[test]
fn graphs_that_no_one_can_draw_from() {
    // The mean of the batch is in every picture.
    let mut batch = plain(node("Sub", &["tall", "mean"], "last", Vec::new()));
    let graph = batch.graph.as_mut().unwrap();
    graph.node.splice(
        1..1,
        [
            node("Tanh", &["flat"], "tall", Vec::new()),
            node("ReduceMean", &["tall"], "mean", vec![ints("axes", &[0]), int("keepdims", 1)]),
        ],
    );
    let pixels = |options: &mut Options| options.pixels = Some(Pixels::MinusOneToOne);
    refused(&batch, pixels, "depends on the others of its batch");
    let mut noise = plain(node("Add", &["flat", "more"], "last", Vec::new()));
    let graph = noise.graph.as_mut().unwrap();
    graph.node.insert(1, node("RandomNormalLike", &["flat"], "more", Vec::new()));
    graph.node.insert(3, node("Tanh", &["last"], "bounded", Vec::new()));
    graph.node[4].input[0] = "bounded".into();
    refused(&noise, |_| {}, "draws something else each time");
}

#[test]
fn batches_of_one_size() {
    let mut fixed = plain(tanh());
    fixed.graph.as_mut().unwrap().input = vec![info("latents", FLOAT, &[Some(1), Some(4)])];
    refused(&fixed, |_| {}, "takes 1 images at a time and no other number");
    let mut within = plain(tanh());
    within.graph.as_mut().unwrap().initializer[1] = integers("shape", &[2, 1, 3, 2]);
    refused(&within, |_| {}, "can't run it");
}

#[test]
fn inputs_that_could_be_either_are_asked_for() {
    let mut two = plain(tanh());
    let graph = two.graph.as_mut().unwrap();
    graph.node[0] = node("Concat", &["first", "second"], "both", vec![int("axis", 1)]);
    graph.node.insert(1, node("MatMul", &["both", "weight"], "flat", Vec::new()));
    graph.initializer[0] = weight("weight", &[6, 6]);
    graph.input = vec![info("first", FLOAT, &[None, Some(3)]), info("second", FLOAT, &[None, Some(3)])];
    let three = |options: &mut Options| options.classes = Some(["a", "b", "c"].map(String::from).to_vec());
    refused(&two, three, "say which with --latent-input first or --latent-input second");
    let pictures = ["first", "second"].map(|latents| {
        let (_, folder) = adopted(&two, |options| {
            three(options);
            options.latent_input = Some(latents.into());
        });
        drawn(&folder.path("gen.onnx"), &[2, 1])
    });
    assert_ne!(pictures[0], pictures[1]);
    let graph = two.graph.as_mut().unwrap();
    graph.input.push(info("third", FLOAT, &[None, Some(3)]));
    refused(&two, three, "where a generator takes latents, or latents and a label");
    graph_of(&mut two).input = vec![info("words", 8, &[None, Some(3)])];
    refused(&two, |_| {}, "can't be its latents");
}

fn graph_of(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// The other file's operators may be of any set; rten lacks those that ONNX Runtime alone has.
#[test]
fn operators_that_rten_lacks_are_no_obstacle() {
    let mut other = plain(node("Tanh", &["curve"], "last", Vec::new()));
    let curve = node("FastGelu", &["flat"], "curve", Vec::new());
    graph_of(&mut other).node.insert(1, NodeProto { domain: "com.microsoft".into(), ..curve });
    other.opset_import.push(OperatorSetIdProto { domain: "com.microsoft".into(), version: 1 });
    let (report, _folder) = adopted(&other, |_| {});
    assert!(report.embedded.is_some(), "{report}");
    let said = report.to_string();
    assert!(said.contains("rten can't draw from it, so `infer` needs ONNX Runtime"), "{said}");
    assert!(said.contains("opset 17, com.microsoft 1"), "{said}");
    assert!(report.comparisons.iter().all(|comparison| comparison.engine.starts_with("ONNX Runtime")));
}

#[test]
fn old_files_list_their_weights_among_the_inputs() {
    let mut old = plain(tanh());
    old.ir_version = 3;
    old.opset_import[0].version = 9;
    let graph = graph_of(&mut old);
    graph.input.extend([info("weight", FLOAT, &[Some(4), Some(6)]), info("shape", INT64, &[Some(4)])]);
    let (report, _folder) = adopted(&old, |_| {});
    assert_eq!((report.ir_version, &report.about["opsets"]["ai.onnx"]), (4, &serde_json::json!(9)));
    old.opset_import[0].version = 3;
    old.ir_version = 3;
    refused(&old, |_| {}, "can't");
}

/// Where a tensor's bytes lie, as a file says it.
fn external(location: &str, more: &[(&str, &str)]) -> ModelProto {
    let mut model = plain(tanh());
    let tensor = &mut graph_of(&mut model).initializer[0];
    tensor.raw_data.clear();
    tensor.data_location = 1;
    let entries = [("location", location)].into_iter().chain(more.iter().copied());
    tensor.external_data =
        entries.map(|(key, value)| StringStringEntryProto { key: key.into(), value: value.into() }).collect();
    model
}

#[test]
fn weights_in_other_files() {
    let bytes = weight("weight", &[4, 6]).raw_data;
    let put = |model: &ModelProto, name: &str, bytes: &[u8]| {
        let folder = Folder::new(model);
        std::fs::create_dir(folder.path("sub")).unwrap();
        std::fs::write(folder.path(name), bytes).unwrap();
        folder
    };
    let with = |model: &ModelProto, name: &str, bytes: &[u8]| {
        let folder = put(model, name, bytes);
        adopt(&folder.options()).unwrap_or_else(|error| panic!("{error}"));
        drawn(&folder.path("gen.onnx"), &[])
    };
    let (_, whole) = adopted(&plain(tanh()), |_| {});
    let expected = drawn(&whole.path("gen.onnx"), &[]);
    assert_eq!(with(&external("w", &[]), "w", &bytes), expected);
    assert_eq!(with(&external("sub/w", &[("length", "96")]), "sub/w", &bytes), expected);
    let behind = [&[7; 16][..], &bytes, &[9; 8]].concat();
    assert_eq!(with(&external("w", &[("offset", "16"), ("length", "96")]), "w", &behind), expected);

    for (model, part) in [
        (external("../w", &[]), "not in the model's own folder"),
        (external("/etc/passwd", &[]), "not in the model's own folder"),
        (external("", &[]), "not in the model's own folder"),
        (external("sub", &[]), "no file"),
        (external("none", &[]), "it has to lie beside the model"),
        (external("w", &[("length", "95")]), "takes 95 bytes"),
        (external("w", &[("length", "much")]), "the length \"much\""),
        (external("w", &[("offset", "8")]), "ends after 88 of its 96 bytes"),
        (external("w", &[("offset", "18446744073709551615")]), "w"),
    ] {
        let folder = put(&model, "w", &bytes);
        refused_in(&folder, &folder.options(), part);
    }
    // Far more than there is, without memory for it.
    let mut vast = external("w", &[]);
    graph_of(&mut vast).initializer[0].dims = vec![1 << 20, 1 << 20];
    let folder = put(&vast, "w", &bytes);
    refused_in(&folder, &folder.options(), "take more than it holds");
    graph_of(&mut vast).initializer[0].dims = vec![i64::MAX, i64::MAX];
    let folder = put(&vast, "w", &bytes);
    refused_in(&folder, &folder.options(), "no size that a tensor can have");
    // The same bytes again and again.
    let mut again = external("w", &[]);
    let tensor = graph_of(&mut again).initializer[0].clone();
    graph_of(&mut again).initializer.push(TensorProto { name: "again".into(), ..tensor });
    let folder = put(&again, "w", &bytes);
    refused_in(&folder, &folder.options(), "take more than it holds");
}
