// Files that hold secrets: for their owner alone, written once and durably.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/secret_bytes.hpp>
#include <cstddef>
#include <filesystem>

namespace alknet::crypto {

/// Larger files are refused: keys are small.
inline constexpr std::size_t kPrivateFileBytesMax = 64 << 10;

/// Reads the whole file into locked memory. The file, or what a symbolic link to it names, must be
/// a regular file that belongs to this user or to root and that nobody else may read or write.
/// Errors: kConfigMissing when there is none, kHomeInvalid for the owner or mode, kLimit, kIo.
result<SecretBytes> read_private_file(const std::filesystem::path& file);

/// Creates the file with mode 0600. It appears under its name complete and on the disk, or not at
/// all, and never in the place of another. Errors: kHomeExists, kDiskFull, kDiskReadOnly,
/// kIo.
result<void> create_private_file(const std::filesystem::path& file, BytesView content);

}  // namespace alknet::crypto
