// A model and a picture for the C example of the installed tree:   write_model FOLDER
#include "tests/capi/model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  gf::test::write_model(std::string(argv[1]) + "/model.gfm");
  gf::test::write_pgm(std::string(argv[1]) + "/picture.pgm", 40, 56);
}
