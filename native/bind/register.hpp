#pragma once

#include <pybind11/pybind11.h>

void register_indicators(pybind11::module_& m);
void register_engine(pybind11::module_& m);
void register_link(pybind11::module_& m);
void register_algorithms(pybind11::module_& m);
