#include "apps/metrics_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/apps/program.h"

using namespace gf;

TEST_CASE("rows go to both files, missing values stay empty, no number loses a bit") {
  const TemporaryFolder folder;
  MetricsLog log = MetricsLog::create(folder.path(), {"loss", "lr", "val_dice"});
  log.append(10, {{"loss", 0.1 + 0.2}, {"lr", 1e-5}});
  log.append(20, {{"val_dice", 0.5}, {"loss", NAN}, {"lr", INFINITY}});
  CHECK(read_text(folder / "metrics.csv") == "step,loss,lr,val_dice\n10,0.30000000000000004,1e-05,\n20,nan,inf,0.5\n");
  const std::string jsonl = read_text(folder / "metrics.jsonl");
  CHECK(jsonl ==
        "{\"step\":10,\"loss\":0.30000000000000004,\"lr\":1e-05}\n{\"step\":20,\"loss\":null,\"lr\":null,\"val_dice\":"
        "0.5}\n");

  const MetricsTable table = read_metrics(folder / "metrics.csv");
  CHECK(table.columns == log.columns());
  CHECK(table.steps == std::vector<std::int64_t>{10, 20});
  CHECK(table.values[0][0] == 0.1 + 0.2);
  CHECK(std::isnan(table.values[0][2]));
}

TEST_CASE("unknown and unfit columns are refused") {
  const TemporaryFolder folder;
  MetricsLog log = MetricsLog::create(folder.path(), {"loss"});
  CHECK(contains(error_of([&] { log.append(1, {{"los", 1}}); }), "no such column in metrics.csv: 'los'"));
  for (const std::string name : {"", "a,b", "a\"b", "step", "a b"}) {
    CHECK(contains(error_of([&] { MetricsLog::create(folder.path(), {name}); }), "wrong column"));
  }
  CHECK(contains(error_of([&] { MetricsLog::create(folder.path(), {"a", "a"}); }), "wrong column"));
  CHECK(contains(error_of([&] { MetricsLog::create(folder / "none", {"a"}); }), "none/metrics.csv"));
}

TEST_CASE("resuming drops later rows and a torn last line, in both files, and keeps the rest to the byte") {
  const TemporaryFolder folder;
  {
    MetricsLog log = MetricsLog::create(folder.path(), {"loss"});
    for (const int step : {10, 20, 30, 40}) log.append(step, {{"loss", 1.0 / step}});
    log.append(50, {{"loss", NAN}});
  }
  const std::string whole = read_text(folder / "metrics.csv");
  write_text(folder / "metrics.csv", whole + "60,0.01");  // killed while writing
  {
    MetricsLog log = MetricsLog::resume(folder.path(), {"loss"}, 1000);
    CHECK(read_text(folder / "metrics.csv") == whole);
  }
  MetricsLog log = MetricsLog::resume(folder.path(), {"loss"}, 25);
  CHECK(read_text(folder / "metrics.csv") == "step,loss\n10,0.1\n20,0.05\n");
  CHECK(read_text(folder / "metrics.jsonl") == "{\"step\":10,\"loss\":0.1}\n{\"step\":20,\"loss\":0.05}\n");
  log.append(30, {{"loss", 0.5}});
  CHECK(read_text(folder / "metrics.csv") == "step,loss\n10,0.1\n20,0.05\n30,0.5\n");
}

TEST_CASE("rows with too few cells or no numbers are not rows") {
  const TemporaryFolder folder;
  write_text(folder / "metrics.csv", "step,a,b\n10,1,2\n20,1\n30,x,2\n,1,2\n40,3,4\n");
  CHECK(read_metrics(folder / "metrics.csv").steps == std::vector<std::int64_t>{10, 40});
  MetricsLog::resume(folder.path(), {"a", "b"}, 100);
  CHECK(read_text(folder / "metrics.csv") == "step,a,b\n10,1,2\n40,3,4\n");
}

TEST_CASE("a resumed run may log more: old columns keep their place, new ones come last") {
  const TemporaryFolder folder;
  { MetricsLog::create(folder.path(), {"b", "a"}).append(1, {{"a", 1}, {"b", 2}}); }
  MetricsLog log = MetricsLog::resume(folder.path(), {"a", "c"}, 1);
  log.append(2, {{"c", 3}, {"a", 4}});
  CHECK(read_text(folder / "metrics.csv") == "step,b,a,c\n1,2,1,\n2,,4,3\n");
}

TEST_CASE("resuming without files starts them, and a missing file reads as an empty table") {
  const TemporaryFolder folder;
  CHECK(read_metrics(folder / "metrics.csv").columns.empty());
  MetricsLog log = MetricsLog::resume(folder.path(), {"a"}, 7);
  CHECK(read_text(folder / "metrics.csv") == "step,a\n");
}

TEST_CASE("a run logs how long each step took and how long it waited for its pictures") {
  const TemporaryFolder t;
  const std::string config = test::disc_config(t.path());
  const test::Outcome o =
      test::run("train -q -c " + config + " --set train.log_every=1 --set train.eval_every=0 -o " + (t / "run"));
  REQUIRE_MESSAGE(o.code == 0, o.text);
  const MetricsTable table = read_metrics(t / "run/metrics.csv");
  const auto column = [&](const std::string& name) {
    const auto at = std::find(table.columns.begin(), table.columns.end(), name);
    REQUIRE_MESSAGE(at != table.columns.end(), name);
    return static_cast<std::size_t>(at - table.columns.begin());
  };
  const std::size_t seconds = column("seconds"), waited = column("data_seconds");
  double all = 0, all_waited = 0;
  std::size_t rows = 0;
  for (const std::vector<double>& row : table.values) {
    if (std::isnan(row[seconds])) continue;  // of a validation
    CHECK(row[seconds] > 0);
    CHECK(row[waited] >= 0);
    all += row[seconds], all_waited += row[waited];
    ++rows;
  }
  CHECK(rows == 12);
  CHECK(all_waited > 0);
  CHECK(all_waited < all);  // pictures of 40 x 40 come faster than a step
}
