//! What is lowered passes the onnx package's own checker, shape inference in strict mode included.
#![cfg(test)]

mod common;

use std::process::Command;

use common::{encode, every_layer, forms, random_weights, root, small};

const CHECK: &str = "
import sys, onnx
for path in sys.argv[1:]:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    print(model.ir_version, model.opset_import[0].version)
";

#[test]
fn every_network_passes_the_checker() {
    let python = root().join(".venv/bin/python");
    assert!(python.exists(), "no {}: get it with `scripts/setup.sh test`", python.display());
    let folder = tempfile::tempdir().unwrap();
    let networks = [small().generator().unwrap(), small().discriminator().unwrap(), every_layer()];
    let graphs = networks.iter().flat_map(|network| forms(network, &random_weights(network, 31)));
    let files = graphs.enumerate().map(|(i, (_, graph))| {
        let file = folder.path().join(format!("{i}.onnx"));
        std::fs::write(&file, encode(&graph)).unwrap();
        file
    });
    let output = Command::new(&python).args(["-c", CHECK]).args(files).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the checker refused a file:\n{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "8 17\n".repeat(6));
}
