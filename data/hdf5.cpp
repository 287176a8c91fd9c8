#include "data/hdf5.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <filesystem>
#include <mutex>

#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr double kAlways = 1 << 26;  // bytes that are not worth a doubt
constexpr hsize_t kMostChunkBytes = 1 << 30;
constexpr int kMostDimensions = 8;

std::mutex& library() {
  static std::mutex mutex;
  return mutex;
}

// Held while the library is used. It must not print, nor load code it finds on the disk.
class Use {
 public:
  Use() : lock_(library()) {
    static const bool once = [] {
      H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
      H5PLset_loading_state(0);
      return true;
    }();
    (void)once;
  }

 private:
  std::lock_guard<std::mutex> lock_;
};

// An identifier and the function that gives it back.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }
  bool good() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

[[noreturn]] void damaged(const std::string& where) {
  bad_data("cannot read HDF5 file", where, "an intact file", "what the HDF5 library refuses", "copy the file again");
}

bool is_inside(hid_t file, const std::string& name) {
  H5L_info_t link{};
  return H5Lexists(file, name.c_str(), H5P_DEFAULT) > 0 && H5Lget_info(file, name.c_str(), &link, H5P_DEFAULT) >= 0 &&
         link.type == H5L_TYPE_HARD;
}

std::string names_in(hid_t file) {
  std::string names;
  H5Literate(
      file, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
        auto& s = *static_cast<std::string*>(out);
        s += (s.empty() ? "" : ", ") + std::string(name);
        return s.size() > 200;
      },
      &names);
  return names.empty() ? "nothing" : names;
}

hid_t open_dataset_of(hid_t file, const std::string& path, const std::string& name) {
  if (!is_inside(file, name)) bad_data("HDF5 file lacks a dataset", path, "a dataset \"" + name + "\"", names_in(file));
  return H5Dopen2(file, name.c_str(), H5P_DEFAULT);
}

std::vector<hsize_t> shape_of(hid_t dataset, const std::string& where) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  const int n = space.good() ? H5Sget_simple_extent_ndims(space) : -1;
  if (n < 0 || n > kMostDimensions) damaged(where);
  std::vector<hsize_t> shape(static_cast<std::size_t>(n));
  if (n > 0 && H5Sget_simple_extent_dims(space, shape.data(), nullptr) < 0) damaged(where);
  return shape;
}

double unpacked_bytes(hid_t dataset, const std::string& where) {
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (!type.good()) damaged(where);
  double bytes = static_cast<double>(H5Tget_size(type));
  for (const hsize_t n : shape_of(dataset, where)) bytes *= static_cast<double>(n);
  return bytes;
}

// Refuses a dataset that promises more than the file can hold, before memory is asked for.
void check_storage(hid_t dataset, std::int64_t file_bytes, const std::string& where) {
  const Handle type(H5Dget_type(dataset), H5Tclose), plan(H5Dget_create_plist(dataset), H5Pclose);
  if (!type.good() || !plan.good()) damaged(where);
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT)
    bad_data("HDF5 dataset of an unknown type", where, "integers or floating point", "something else");
  const H5D_layout_t layout = H5Pget_layout(plan);
  if (layout == H5D_VIRTUAL || H5Pget_external_count(plan) > 0)
    bad_data("HDF5 dataset lies outside its file", where, "values in the file itself", "virtual or external storage",
             "copy it into one file");
  for (int i = 0; i < H5Pget_nfilters(plan); ++i) {
    unsigned flags = 0, config = 0;
    std::size_t parameters = 0;
    const H5Z_filter_t filter =
        H5Pget_filter2(plan, static_cast<unsigned>(i), &flags, &parameters, nullptr, 0, nullptr, &config);
    if (filter < 0 || H5Zfilter_avail(filter) <= 0)
      bad_data("HDF5 dataset packed in an unknown way", where, "gzip or none", fmt::format("filter {}", filter),
               "save it with compression=\"gzip\"");
  }
  if (layout == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(kMostDimensions);
    const int n = H5Pget_chunk(plan, kMostDimensions, chunk.data());
    double bytes = static_cast<double>(H5Tget_size(type));
    for (int i = 0; i < n; ++i) bytes *= static_cast<double>(chunk[static_cast<std::size_t>(i)]);
    if (n < 1 || bytes > kMostChunkBytes) damaged(where);
  }
  const double bytes = unpacked_bytes(dataset, where);
  if (bytes > kAlways && bytes > 1100 * (static_cast<double>(file_bytes) + 1))
    bad_data("HDF5 dataset larger than its file can hold", where, fmt::format("{:.0f} bytes", bytes),
             fmt::format("a file of {} bytes", file_bytes), "copy the file again");
}

}  // namespace

Hdf5File::Hdf5File(const std::string& path) : path_(path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) bad_data("cannot read file", path, "an HDF5 file", "a directory");
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) bad_data("cannot open file", path, {}, error.message(), "check the path and its permissions");
  file_bytes_ = static_cast<std::int64_t>(bytes);
  const Use use;
  id_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id_ < 0)
    bad_data("not an HDF5 file", path, "an HDF5 file that can be read", fmt::format("{} other bytes", file_bytes_),
             "copy the file again");
}

Hdf5File::~Hdf5File() {
  const Use use;
  H5Fclose(id_);
}

bool Hdf5File::has(const std::string& name) const {
  const Use use;
  return is_inside(id_, name);
}

std::vector<std::int64_t> Hdf5File::shape(const std::string& name) const {
  const Use use;
  const std::string where = path_ + ", " + name;
  const Handle dataset(open_dataset_of(id_, path_, name), H5Dclose);
  if (!dataset.good()) bad_data("not an HDF5 dataset", where);
  const std::vector<hsize_t> shape = shape_of(dataset, where);
  return {shape.begin(), shape.end()};
}

Hdf5File::Storage Hdf5File::storage(const std::string& name) const {
  const Use use;
  const std::string where = path_ + ", " + name;
  const Handle dataset(open_dataset_of(id_, path_, name), H5Dclose);
  if (!dataset.good()) bad_data("not an HDF5 dataset", where);
  check_storage(dataset, file_bytes_, where);
  return {H5Dget_storage_size(dataset), unpacked_bytes(dataset, where)};
}

std::vector<float> Hdf5File::floats(const std::string& name, std::int64_t first, std::int64_t count) const {
  const Use use;
  const std::string where = path_ + ", " + name;
  const Handle dataset(open_dataset_of(id_, path_, name), H5Dclose);
  if (!dataset.good()) bad_data("not an HDF5 dataset", where);
  check_storage(dataset, file_bytes_, where);
  std::vector<hsize_t> extent = shape_of(dataset, where), start(extent.size(), 0);
  if (extent.empty() || first < 0 || count < 1 || static_cast<hsize_t>(first + count) > extent[0])
    fail("entries out of range", where, fmt::format("inside a shape of ({})", fmt::join(extent, ", ")),
         fmt::format("{} from {}", count, first));
  start[0] = static_cast<hsize_t>(first);
  extent[0] = static_cast<hsize_t>(count);
  std::size_t total = 1;
  for (const hsize_t n : extent) total *= n;
  std::vector<float> values(total);
  const Handle in_file(H5Dget_space(dataset), H5Sclose),
      in_memory(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(in_file, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) < 0 ||
      H5Dread(dataset, H5T_NATIVE_FLOAT, in_memory, in_file, H5P_DEFAULT, values.data()) < 0)
    damaged(where);
  return values;
}

void write_hdf5(const std::string& path, const std::vector<Hdf5Dataset>& datasets) {
  std::vector<char> image;
  {
    const Use use;
    const auto require = [&](bool fine) {
      if (!fine) fail("cannot make an HDF5 file", path, {}, "an error of the HDF5 library");
    };
    // In memory first: the file then appears whole or not at all.
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    require(access.good() && H5Pset_fapl_core(access, std::size_t{1} << 24, 0) >= 0);
    const Handle file(H5Fcreate("memory", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
    require(file.good());
    for (const Hdf5Dataset& d : datasets) {
      const std::vector<hsize_t> shape(d.shape.begin(), d.shape.end());
      std::vector<hsize_t> chunk = shape;
      if (chunk.size() > 1) chunk[0] = 1;
      const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose),
          plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
      require(H5Pset_obj_track_times(plan, false) >= 0 &&
              H5Pset_chunk(plan, static_cast<int>(chunk.size()), chunk.data()) >= 0 && H5Pset_shuffle(plan) >= 0 &&
              H5Pset_deflate(plan, 4) >= 0);
      const bool floats = !d.floats.empty();
      const Handle set(H5Dcreate2(file, d.name.c_str(), floats ? H5T_IEEE_F32LE : H5T_STD_U8LE, space, H5P_DEFAULT,
                                  plan, H5P_DEFAULT),
                       H5Dclose);
      require(set.good() && H5Dwrite(set, floats ? H5T_NATIVE_FLOAT : H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                     floats ? static_cast<const void*>(d.floats.data()) : d.bytes.data()) >= 0);
    }
    require(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0);
    const ssize_t bytes = H5Fget_file_image(file, nullptr, 0);
    require(bytes > 0);
    image.resize(static_cast<std::size_t>(bytes));
    require(H5Fget_file_image(file, image.data(), image.size()) == bytes);
  }
  write_file_atomically(path, {image.data(), image.size()});
}

}  // namespace gf
