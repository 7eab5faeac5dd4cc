package io.jvfio.nvme;

/**
 * Reads, writes and flushes through one queue pair. Source: NVM Command Set Specification, "NVM
 * Command Set Commands".
 *
 * <p>A transfer of any length becomes commands as large as the controller takes, as many in flight
 * as the queue has slots. The way through allocates nothing unless a command fails. Not safe for
 * use by several threads at once.
 */
final class IoQueue implements AutoCloseable {
  private final QueuePair queue;
  private final String device;
  private final long maxTransfer;

  /** Where the command in a slot starts, to say which failed. */
  private final long[] slotBlock;

  /**
   * Takes over the queue pair.
   *
   * @param maxTransfer bytes that one command can transfer, at most {@link PrpList#MAX_TRANSFER}
   */
  IoQueue(QueuePair queue, String device, long maxTransfer) {
    this.queue = queue;
    this.device = device;
    this.maxTransfer = maxTransfer;
    slotBlock = new long[queue.entries()];
  }

  /**
   * Reads or writes blocks from or to contiguous device memory.
   *
   * @throws NvmeStatusException if a command fails; no command is in flight then, and which of the
   *     other blocks were transferred is not known
   */
  void transfer(
      Opcode opcode, int namespaceId, int blockShift, long block, long blocks, long iova) {
    long blocksPerCommand = Math.min(maxTransfer >> blockShift, 1L << 16);
    long wanted = blocks;
    long done = 0;
    int failedStatus = QueuePair.SUCCESS;
    long failedBlock = 0;
    while (done < wanted || !queue.isIdle()) {
      long before = done;
      while (done < wanted && queue.hasFreeSlot()) {
        long count = Math.min(wanted - done, blocksPerCommand);
        put(opcode, namespaceId, blockShift, block + done, count, iova + (done << blockShift));
        done += count;
      }
      if (done != before) {
        queue.ring();
      }
      int slot = queue.await();
      while (slot >= 0) {
        if (queue.completedStatus() != QueuePair.SUCCESS && failedStatus == QueuePair.SUCCESS) {
          failedStatus = queue.completedStatus();
          failedBlock = slotBlock[slot];
          // The commands in flight are waited for, but no new ones are sent.
          wanted = done;
        }
        slot = queue.poll();
      }
      queue.acknowledge();
    }
    if (failedStatus != QueuePair.SUCCESS) {
      throw new NvmeStatusException(
          opcode.label(),
          "block %d and following of namespace %d of %s"
              .formatted(failedBlock, namespaceId, device),
          failedStatus);
    }
  }

  private void put(
      Opcode opcode, int namespaceId, int blockShift, long block, long count, long iova) {
    int slot = queue.takeSlot();
    slotBlock[slot] = block;
    long prp2 =
        PrpList.describe(
            iova,
            count << blockShift,
            queue.memory(),
            queue.pageOffset(slot),
            queue.pageIova(slot));
    queue.put(
        slot,
        opcode,
        namespaceId,
        iova,
        prp2,
        (int) block,
        (int) (block >>> 32),
        (int) (count - 1));
  }

  /** Has written data brought to safety. */
  void flush(int namespaceId) {
    queue.put(queue.takeSlot(), Opcode.FLUSH, namespaceId, 0, 0, 0, 0, 0);
    queue.ring();
    queue.await();
    queue.acknowledge();
    if (queue.completedStatus() != QueuePair.SUCCESS) {
      throw new NvmeStatusException(
          Opcode.FLUSH.label(),
          "namespace %d of %s".formatted(namespaceId, device),
          queue.completedStatus());
    }
  }

  @Override
  public void close() {
    queue.close();
  }
}
