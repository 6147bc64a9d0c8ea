//! Which package holds a library.

/// The CUDA that a library is for, by the libraries it needs: 13 if it needs `libcublas.so.13`.
pub fn cuda_of(needed: &[String]) -> Option<u32> {
    let runtime = ["libcudart.so.", "libcublas.so.", "libcublasLt.so."];
    (needed.iter())
        .find_map(|name| runtime.iter().find_map(|prefix| name.strip_prefix(prefix)))
        .and_then(|version| version.split('.').next()?.parse().ok())
}

/// What to install for a library of NVIDIA's, by the name that the loader looks for, such as
/// `libcudnn.so.9`, for this version of CUDA. On a Jetson, JetPack has them all.
pub fn of(library: &str, cuda: Option<u32>, on_jetson: bool) -> Option<String> {
    let (name, version) = library.split_once(".so.")?;
    // From 13 on, the names of NVIDIA's wheels don't say the version; cuDNN's always does.
    let suffix = match cuda {
        Some(cuda @ ..13) => format!("-cu{cuda}"),
        _ => String::new(),
    };
    let wheel = match name {
        "libcuda" if on_jetson => return Some("`sudo apt install nvidia-l4t-cuda`".into()),
        "libcuda" => return Some("the NVIDIA driver, your distribution's package `nvidia-driver`".into()),
        "libcudart" => format!("nvidia-cuda-runtime{suffix}"),
        "libcublas" | "libcublasLt" => format!("nvidia-cublas{suffix}"),
        "libnvrtc" => format!("nvidia-cuda-nvrtc{suffix}"),
        "libnvJitLink" => format!("nvidia-nvjitlink{suffix}"),
        "libcufft" => format!("nvidia-cufft{suffix}"),
        "libcurand" => format!("nvidia-curand{suffix}"),
        "libcudnn" => format!("nvidia-cudnn-cu{}", cuda.unwrap_or(13)),
        "libnvinfer" | "libnvinfer_plugin" | "libnvonnxparser" => {
            format!("'tensorrt=={}.*'", version.split('.').next()?)
        }
        _ => return None,
    };
    Some(match on_jetson {
        true => "`sudo apt install nvidia-jetpack`".into(),
        false => format!("`pip install {wheel}`, and its lib folder on LD_LIBRARY_PATH"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_has_its_package() {
        for (library, cuda, expected) in [
            ("libcudart.so.13", 13, "`pip install nvidia-cuda-runtime`"),
            ("libcublasLt.so.12", 12, "`pip install nvidia-cublas-cu12`"),
            ("libcurand.so.10", 12, "`pip install nvidia-curand-cu12`"),
            ("libcurand.so.10", 13, "`pip install nvidia-curand`"),
            ("libcudnn.so.9", 12, "`pip install nvidia-cudnn-cu12`"),
            ("libcudnn.so.9", 13, "`pip install nvidia-cudnn-cu13`"),
            ("libnvinfer.so.10", 13, "`pip install 'tensorrt==10.*'`"),
            ("libcuda.so.1", 13, "the NVIDIA driver"),
        ] {
            let package = of(library, Some(cuda), false).unwrap_or_default();
            assert!(package.starts_with(expected), "{library}: {package}");
        }
        assert_eq!(of("libcudnn.so.8", None, true).as_deref(), Some("`sudo apt install nvidia-jetpack`"));
        assert_eq!(of("libstdc++.so.6", None, false), None);
        assert_eq!(of("libcudnn.so", None, false), None);
    }

    #[test]
    fn the_libraries_that_are_needed_tell_the_cuda() {
        let needed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(cuda_of(&needed(&["libcurand.so.10", "libcublasLt.so.13"])), Some(13));
        assert_eq!(cuda_of(&needed(&["libcudart.so.11.0"])), Some(11));
        assert_eq!(cuda_of(&needed(&["libc.so.6"])), None);
    }
}
