// The extension module: each subject registers itself (register_*.cpp); nothing else lives here.
#include "register.hpp"

PYBIND11_MODULE(_core, m) {
  m.doc() = "Tradewind's deterministic C++ core.";
  register_indicators(m);
  register_engine(m);
  register_link(m);
  register_algorithms(m);
}
