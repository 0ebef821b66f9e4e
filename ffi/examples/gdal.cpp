// SPDX-License-Identifier: Apache-2.0 OR MIT
// C++ with GDAL: reads a raster that needs a credential.
//
//     c++ -std=c++17 gdal.cpp $(pkg-config --cflags --libs planetkey gdal) -o example
//     ./example https://api.planet.com/...
#include <gdal_priv.h>
#include <iostream>
#include <memory>
#include <planetkey.hpp>

int main(int argc, char **argv) try {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " URL\n";
        return PLANETKEY_STATUS_INVALID_ARGUMENT;
    }
    GDALAllRegister();
    const planetkey::Session session = planetkey::Session::from_defaults();
    // With the names of path() it works with GDAL before 3.7 too.
    const planetkey::Gdal gdal(session, planetkey::GdalOptions().scope(PLANETKEY_GDAL_SCOPE_PATHS));
    const planetkey::String path = gdal.path(argv[1]);
    const std::unique_ptr<GDALDataset> dataset(
        GDALDataset::Open(path.c_str(), GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR));
    if (!dataset) {
        return PLANETKEY_STATUS_UNAVAILABLE; // GDAL printed the reason
    }
    std::cout << dataset->GetRasterXSize() << " x " << dataset->GetRasterYSize() << " pixels\n";
    return 0;
} catch (const planetkey::Error &error) {
    std::cerr << error.what() << '\n';
    return error.status();
}
