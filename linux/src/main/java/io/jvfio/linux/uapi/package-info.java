// SPDX-License-Identifier: Apache-2.0
/**
 * The VFIO user API: one class per struct, named after it, and the constants under the kernel's own
 * names; and the registers of PCI configuration space, under the kernel's names, too.
 *
 * <p>Source: {@code include/uapi/linux/vfio.h}, {@code iommufd.h} and {@code pci_regs.h}. A test
 * compiles the same facts against the C headers.
 */
package io.jvfio.linux.uapi;
