// SPDX-License-Identifier: Apache-2.0 OR MIT
// Threads read through GDAL while the token is refreshed repeatedly: every request carries a
// complete token.
//
//     threads URL HOST
//
// test_native.py starts it. The environment names a simulator; URL is a server that asks it about
// each token.
#include <cpl_error.h>
#include <gdal_priv.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "planetkey.hpp"
#include "simulator.h"
#include "test.h"

namespace {

constexpr int size = 512, tile = 128, across = size / tile, readers = 4, refreshes = 10;

bool is_whole(GDALDataset &dataset, int left, int top) {
    std::vector<std::uint32_t> pixels(tile * tile);
    if (dataset.GetRasterBand(1)->RasterIO(GF_Read, left, top, tile, tile, pixels.data(), tile,
                                           tile, GDT_UInt32, 0, 0) != CE_None) {
        return false;
    }
    for (int y = 0; y < tile; ++y) {
        for (int x = 0; x < tile; ++x) {
            if (pixels[static_cast<std::size_t>(y * tile + x)] !=
                static_cast<std::uint32_t>((left + x) * 7 + (top + y) * 131) % 65521) {
                return false;
            }
        }
    }
    return true;
}

/// Returns the number of tiles that could not be read.
int read_picture(const planetkey::Gdal &gdal, const std::string &url) {
    const planetkey::String name = gdal.path(url);
    const std::unique_ptr<GDALDataset> dataset(
        GDALDataset::Open(name.c_str(), GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR));
    int failed = 0;
    for (int place = 0; place < across * across; ++place) {
        failed += !dataset || !is_whole(*dataset, place % across * tile, place / across * tile);
    }
    return failed;
}

} // namespace

int main(int argc, char **argv) try {
    if (argc != 3) {
        return 2;
    }
    const std::string url = argv[1], host = argv[2];
    simulator_join();
    GDALAllRegister();
    CPLSetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");

    planetkey::Options options;
    options.allow_insecure_loopback(true)
        .deployment(simulator_variable("PLANETKEY_DEPLOYMENT"))
        .add_allowed_host(host);
    const planetkey::Session session = planetkey::Session::from_m2m(
        simulator_variable("PL_AUTH_CLIENT_ID"), simulator_variable("PL_AUTH_CLIENT_SECRET"), {},
        std::nullopt, options);
    const planetkey::Gdal gdal(
        session, planetkey::GdalOptions().scope(PLANETKEY_GDAL_SCOPE_PATHS).add_host(host));

    std::atomic<bool> done{false};
    std::atomic<int> failed{0}, pictures{0};
    std::vector<std::thread> threads;
    for (int reader = 0; reader < readers; ++reader) {
        threads.emplace_back([&, reader] {
            // Each raster has another name, because GDAL caches what it has read.
            for (int turn = 0; turn < 2 || !done; ++turn) {
                failed += read_picture(gdal, url + "?" + std::to_string(reader) + "-" +
                                                 std::to_string(turn));
                ++pictures;
            }
        });
    }
    for (int refresh = 0; refresh < refreshes; ++refresh) {
        session.refresh();
    }
    done = true;
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(failed == 0);
    CHECK(pictures >= 2 * readers);
    CHECK(simulator_count("m2m.token") >= refreshes);
    CHECK(!gdal.last_error());
    try {
        gdal.path("https://api.planet.com/");
        CHECK(!"an exception");
    } catch (const planetkey::Error &error) {
        CHECK(error.status() == PLANETKEY_STATUS_HOST_REFUSED);
    }
    return finish();
} catch (const planetkey::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.status();
}
