// The ONNX files that tests/golden/make_onnx.py runs:   export_onnx FOLDER
#include <cstdio>

#include "engine/io/atomic_file.h"
#include "tests/golden/golden_onnx.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: export_onnx FOLDER\n", stderr);
    return 2;
  }
  for (const auto& g : gf::test::kGoldenExports)
    gf::write_file_atomically(std::string(argv[1]) + "/" + g.name + ".onnx",
                              gf::onnx_bytes(*gf::test::exported_network(g), gf::test::export_options(g)));
}
