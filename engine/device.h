#pragma once
// Where tensors live and ops run. A device is one of the kernel contexts; `on` hands the context to a call, so the
// linker asks for every kernel body of every device listed here and for no other.
#include <string>
#include <utility>
#include <variant>

#include "kernels/context.h"

namespace gf {

using Device = std::variant<Cpu>;

template <class Call>
decltype(auto) on(const Device& device, Call&& call) {
  return std::visit(std::forward<Call>(call), device);
}

// The CPU with the engine's scratch memory behind it.
Device cpu_device();

// "auto" and "cpu" give the CPU. Any other name throws ErrorKind::usage, saying what this build has.
Device parse_device(const std::string& name);

// CPU threads for the kernels; 0: one a core. Part of what "the same bits" means.
void set_threads(int threads);
int threads();

// Throws where the processor lacks the instruction level the CPU bodies were compiled for, naming the build it needs.
void check_processor();

}  // namespace gf
