package io.jvfio.nvme;

import java.lang.foreign.MemorySegment;

/**
 * Admin commands, one at a time. Source: NVM Express Base Specification, "Admin Command Set".
 *
 * <p>Not safe for use by several threads at once.
 */
final class AdminQueue implements AutoCloseable {
  static final int CNS_NAMESPACE = 0x00;
  static final int CNS_CONTROLLER = 0x01;
  static final int CNS_ACTIVE_NAMESPACES = 0x02;

  /** Entries of both queues; commands go one at a time. */
  static final int ENTRIES = 16;

  private static final int FEATURE_NUMBER_OF_QUEUES = 0x07;
  private static final int CONTIGUOUS = 1;

  private final QueuePair queue;
  private final String device;

  AdminQueue(QueuePair queue, String device) {
    this.queue = queue;
    this.device = device;
  }

  /**
   * Identify.
   *
   * @return the data structure; overwritten by the next command
   */
  MemorySegment identify(int namespaceId, int structure) {
    int slot = queue.takeSlot();
    queue.put(slot, Opcode.IDENTIFY, namespaceId, queue.pageIova(slot), 0, structure, 0, 0);
    complete(Opcode.IDENTIFY, structure == CNS_NAMESPACE ? "namespace " + namespaceId : "");
    return queue.memory().asSlice(queue.pageOffset(slot), PrpList.PAGE_SIZE);
  }

  /**
   * Get Log Page, for all namespaces.
   *
   * @param byteSize a multiple of 4, at most a page
   * @return the data; overwritten by the next command
   */
  MemorySegment logPage(int page, int byteSize) {
    int slot = queue.takeSlot();
    int cdw10 = page | (byteSize / 4 - 1) << 16;
    queue.put(slot, Opcode.GET_LOG_PAGE, -1, queue.pageIova(slot), 0, cdw10, 0, 0);
    complete(Opcode.GET_LOG_PAGE, "log page 0x%02x".formatted(page));
    return queue.memory().asSlice(queue.pageOffset(slot), byteSize);
  }

  /**
   * Set Features: asks for {@code pairs} I/O queue pairs.
   *
   * @return how many the controller grants, at least one
   */
  int requestQueuePairs(int pairs) {
    int value = (pairs - 1) | ((pairs - 1) << 16);
    simple(Opcode.SET_FEATURES, 0, FEATURE_NUMBER_OF_QUEUES, value, "the number of queues");
    int granted = queue.completedResult();
    return Math.min(granted & 0xffff, granted >>> 16) + 1;
  }

  /** Create I/O Completion Queue, without interrupts. */
  void createCompletionQueue(int id, long iova, int entries) {
    simple(
        Opcode.CREATE_COMPLETION_QUEUE,
        iova,
        id | ((entries - 1) << 16),
        CONTIGUOUS,
        "queue " + id);
  }

  /** Create I/O Submission Queue, which completes to the queue of the same number. */
  void createSubmissionQueue(int id, long iova, int entries) {
    simple(
        Opcode.CREATE_SUBMISSION_QUEUE,
        iova,
        id | ((entries - 1) << 16),
        CONTIGUOUS | (id << 16),
        "queue " + id);
  }

  /** Delete I/O Submission Queue. */
  void deleteSubmissionQueue(int id) {
    simple(Opcode.DELETE_SUBMISSION_QUEUE, 0, id, 0, "queue " + id);
  }

  /** Delete I/O Completion Queue; its submission queues have to be deleted before. */
  void deleteCompletionQueue(int id) {
    simple(Opcode.DELETE_COMPLETION_QUEUE, 0, id, 0, "queue " + id);
  }

  private void simple(Opcode opcode, long prp1, int cdw10, int cdw11, String object) {
    queue.put(queue.takeSlot(), opcode, 0, prp1, 0, cdw10, cdw11, 0);
    complete(opcode, object);
  }

  private void complete(Opcode opcode, String object) {
    queue.ring();
    queue.await();
    queue.acknowledge();
    if (queue.completedStatus() != QueuePair.SUCCESS) {
      String subject = object.isEmpty() ? device : object + " of " + device;
      throw new NvmeStatusException(opcode.label(), subject, queue.completedStatus());
    }
  }

  @Override
  public void close() {
    queue.close();
  }
}
