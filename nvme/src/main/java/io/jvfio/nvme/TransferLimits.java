// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/**
 * The limits of what one command can transfer.
 *
 * @param maxBytes bytes of data
 * @param listPagesPerCommand pages that a command needs for the longest PRP list
 * @param supportsSgls whether data can be described by SGLs
 * @param prefersSgls whether long contiguous data is
 * @param requiresSgls whether all data is
 */
record TransferLimits(
    long maxBytes,
    int listPagesPerCommand,
    boolean supportsSgls,
    boolean prefersSgls,
    boolean requiresSgls) {

  static TransferLimits of(IdentifyController identity, NvmeOptions options) {
    long limit = identity.mdtsBytes() == 0 ? Long.MAX_VALUE : identity.mdtsBytes();
    long bytes = Math.min(limit, options.maxTransferBytes());
    boolean uses = identity.supportsSgls() && options.sglUse() != NvmeSglUse.NEVER;
    return new TransferLimits(
        bytes, PrpList.pages(bytes), uses, uses, options.sglUse() == NvmeSglUse.ALWAYS);
  }
}
