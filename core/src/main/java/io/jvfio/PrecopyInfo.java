// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

/**
 * The progress of a copy of a running device. Source: {@code struct vfio_precopy_info}.
 *
 * @param initialBytes left of what should be read before the device stops, 0 or more
 * @param dirtyBytes of what was read and has changed since, 0 or more
 */
public record PrecopyInfo(long initialBytes, long dirtyBytes) {}
