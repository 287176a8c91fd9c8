#pragma once
// GF_HOST_DEVICE marks a function that host code and kernels both call; nothing where no nvcc compiles.
#ifdef __CUDACC__
#define GF_HOST_DEVICE __host__ __device__
#else
#define GF_HOST_DEVICE
#endif
