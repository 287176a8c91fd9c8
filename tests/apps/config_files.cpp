// The configurations that are shipped: each loads, and the three of a data set are a fair comparison.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "apps/config.h"
#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

const std::string kFolder = std::string(GF_SOURCE_DIR) + "/apps/configs/";

}  // namespace

TEST_CASE("every shipped configuration loads and writes back the same") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    CAPTURE(entry.path().string());
    Config c;
    REQUIRE_NOTHROW(c = load_config(entry.path().string()));
    CHECK(parse_config(config_to_toml(c), "again.toml") == c);
    CHECK(c.train.max_iterations > 0);
  }
  CHECK(files == 12);
}

TEST_CASE("teacher, student and distilled student of a data set see the same data and steps") {
  for (const std::string set : {"brain", "nuclei", "hippocampus"}) {
    CAPTURE(set);
    const Config teacher = load_config(kFolder + set + "_teacher.toml");
    const Config student = load_config(kFolder + set + "_student.toml");
    const Config flow = load_config(kFolder + set + "_graph_flow.toml");
    CHECK(teacher.data == student.data);
    CHECK(flow.data == student.data);
    CHECK(flow.model == student.model);
    CHECK(flow.train == student.train);
    CHECK(flow.optim == student.optim);
    CHECK(flow.loss == student.loss);
    CHECK(teacher.model.arch == "fanet");
    CHECK(teacher.model.width == 0.25);
    CHECK(teacher.model.dropout == 0);
    CHECK(student.model.arch == "mobile_unet");
    CHECK(student.model.width == 1);
    CHECK(flow.distill.teacher.starts_with(teacher.output.dir + "/"));
    CHECK_NOTHROW(require_keys(flow, {"distill.teacher"}));
    CHECK(student.output.dir != flow.output.dir);
  }
}

TEST_CASE("the ENet students of the nuclei see the same data and steps as the Mobile U-Nets") {
  for (const std::string run : {"student", "graph_flow"}) {
    CAPTURE(run);
    Config enet = load_config(kFolder + "nuclei_enet_" + run + ".toml");
    const Config mobile = load_config(kFolder + "nuclei_" + run + ".toml");
    CHECK(enet.model.arch == "enet");
    CHECK(enet.output.dir != mobile.output.dir);
    enet.model.arch = mobile.model.arch;
    enet.output.dir = mobile.output.dir;
    CHECK(enet == mobile);
  }
}

TEST_CASE("the TransUNet teacher of the nuclei sees the same data and steps as the FANet, at the pictures' own size") {
  Config transunet = load_config(kFolder + "nuclei_transunet_teacher.toml");
  const Config fanet = load_config(kFolder + "nuclei_teacher.toml");
  CHECK(transunet.model.arch == "transunet");
  CHECK(transunet.model.image_size == std::vector<int>{256, 320});
  CHECK(transunet.output.dir != fanet.output.dir);
  transunet.model = fanet.model;
  transunet.output.dir = fanet.output.dir;
  CHECK(transunet == fanet);
}

TEST_CASE("the brain set is not mirrored: its test half is the mirror image of its training half") {
  const Config c = load_config(kFolder + "brain_student.toml");
  CHECK(!c.data.augment.hflip);
  CHECK(!c.data.augment.vflip);
  CHECK(!c.data.augment.rot90);
}
